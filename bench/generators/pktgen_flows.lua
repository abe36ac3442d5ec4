-- SPDX-License-Identifier: Apache-2.0
-- Pktgen-DPDK: 60,000 TCP flows from 256 addresses to one VIP, minimum frames. NOT RUN HERE: no NIC was at hand.
--
--     pktgen -l 0-2 -n 4 -- -P -m "[1:2].0" -f bench/generators/pktgen_flows.lua
--
-- Set `gateway` to the MAC address of the balancer's port. Read the received rate of `penstock stats` on the
-- balancer and its drop reasons; `set 0 rate N` (percent) looks for the highest rate without loss.
package.path = package.path .. ";?.lua;test/?.lua;app/?.lua;"
require "Pktgen"

local port = "0"
local gateway = "02:00:00:00:00:01"

pktgen.set(port, "size", 64)
pktgen.set(port, "rate", 100)
pktgen.set_mac(port, "dst", gateway)
pktgen.range.ip_proto(port, "tcp")
pktgen.range.dst_mac(port, "start", gateway)
pktgen.range.dst_ip(port, "start", "198.51.100.10")
pktgen.range.dst_ip(port, "inc", "0.0.0.0")
pktgen.range.dst_ip(port, "min", "198.51.100.10")
pktgen.range.dst_ip(port, "max", "198.51.100.10")
pktgen.range.src_ip(port, "start", "192.0.2.0")
pktgen.range.src_ip(port, "inc", "0.0.0.1")
pktgen.range.src_ip(port, "min", "192.0.2.0")
pktgen.range.src_ip(port, "max", "192.0.2.255")
pktgen.range.src_port(port, "start", 1024)
pktgen.range.src_port(port, "inc", 1)
pktgen.range.src_port(port, "min", 1024)
pktgen.range.src_port(port, "max", 61023)
pktgen.range.dst_port(port, "start", 80)
pktgen.range.dst_port(port, "inc", 0)
pktgen.range.dst_port(port, "min", 80)
pktgen.range.dst_port(port, "max", 80)
pktgen.range.pkt_size(port, "start", 64)
pktgen.range.pkt_size(port, "inc", 0)
pktgen.range.pkt_size(port, "min", 64)
pktgen.range.pkt_size(port, "max", 64)
pktgen.set_range(port, "on")
pktgen.start(port)
