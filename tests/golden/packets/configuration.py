# SPDX-License-Identifier: Apache-2.0
"""The configurations of the golden packets. Every service has one backend, so no hash decides."""

import exchange

VIP, ONLINK_VIP, EMPTY_VIP = "198.51.100.10", "198.51.100.11", "198.51.100.12"
TUNNEL_BACKEND, ONLINK_BACKEND, UNRESOLVED_BACKEND = "10.0.1.11", "10.0.2.11", "10.0.3.1"


def head(neighbours: dict[str, str]) -> str:
    """Everything but the services; `neighbours` is address → MAC."""
    text = f"""\
[node]
name = "golden"

[dataplane]
workers = [0]
tunnel_source = "{exchange.TUNNEL_SOURCE}"

[[dataplane.port]]
name = "edge0"
device = "net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap"
mtu = 1500
"""
    for address, mac in neighbours.items():
        text += f'\n[[dataplane.neighbour]]\naddress = "{address}"\nmac = "{mac}"\nport = "edge0"\n'
    return text


def service(name: str, vip: str, protocol: str, port: int, forwarding: str, backend: str | None) -> str:
    """`forwarding` is the value of that key, with the lines that belong to it."""
    backends = f'[{{ name = "{name}-1", address = "{backend}" }}]' if backend else "[]"
    return f"""
[[service]]
name = "{name}"
vip = "{vip}"
protocol = "{protocol}"
port = {port}
forwarding = {forwarding}
probe = {{ type = "none" }}
backend = {backends}
"""


STANDARD = (
    head({TUNNEL_BACKEND: exchange.ROUTER_MAC, ONLINK_BACKEND: exchange.ONLINK_MAC})
    + service("web", VIP, "tcp", 80, '"ipip"', TUNNEL_BACKEND)
    + service("dns", VIP, "udp", 53, '"ipip"', TUNNEL_BACKEND)
    + service("onlink", ONLINK_VIP, "tcp", 80, '"l2dsr"', ONLINK_BACKEND)
    + service("empty", EMPTY_VIP, "tcp", 80, '"ipip"', None)
    + service("unresolved", EMPTY_VIP, "tcp", 81, '"ipip"', UNRESOLVED_BACKEND)
)
