# SPDX-License-Identifier: Apache-2.0
"""A stateless TRex profile: a million TCP flows to one VIP, minimum frames. NOT RUN HERE: no NIC was at hand.

On the TRex host, which is wired to the balancer's port and has the balancer as gateway of its own port:

    trex> start -f trex_flows.py -m 100% --port 0 -t vip=198.51.100.10,flags=16

flags: 16 (ACK) for established flows, 2 (SYN) for new ones. A first pass of SYNs is not needed: any packet but a
reset makes an entry. Read the rate on port 1, or on the backend, and `penstock stats` on the balancer: the
highest rate at which `rx_packets` grows as fast as TRex sends and no drop reason grows is what RFC 2544 calls
throughput; let it run for 60 s there.
"""

import argparse

from trex.stl.api import (
    IP, TCP, Ether, STLPktBuilder, STLScVmRaw, STLStream, STLTXCont, STLVmFixIpv4, STLVmTupleGen, STLVmWrFlowVar,
)

FLOWS = 1 << 20


class Flows:
    def get_streams(self, tunables=(), **_: object) -> list:
        parser = argparse.ArgumentParser()
        parser.add_argument("--vip", default="198.51.100.10")
        parser.add_argument("--flags", type=int, default=16)
        arguments = parser.parse_args(tunables)
        base = Ether() / IP(dst=arguments.vip) / TCP(dport=80, flags=arguments.flags)
        variables = STLScVmRaw([
            STLVmTupleGen(ip_min="16.0.0.1", ip_max="16.0.255.255", port_min=1024, port_max=65535, name="tuple",
                          limit_flows=FLOWS),
            STLVmWrFlowVar(fv_name="tuple.ip", pkt_offset="IP.src"),
            STLVmFixIpv4(offset="IP"),
            STLVmWrFlowVar(fv_name="tuple.port", pkt_offset="TCP.sport"),
        ])
        stream = STLStream(packet=STLPktBuilder(pkt=base, vm=variables), mode=STLTXCont(pps=1))
        return [stream]


def register() -> Flows:
    return Flows()
