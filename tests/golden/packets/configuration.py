# SPDX-License-Identifier: Apache-2.0
"""The configurations of the golden packets. Where a service has one backend, no hash decides."""

import dataclasses

import exchange


@dataclasses.dataclass(frozen=True)
class Configuration:
    """`name`: of its file in configurations/."""

    name: str
    text: str


VIP, ONLINK_VIP, EMPTY_VIP = "198.51.100.10", "198.51.100.11", "198.51.100.12"
VIP6, ONLINK_VIP6, EMPTY_VIP6 = "2001:db8:100::10", "2001:db8:100::11", "2001:db8:100::12"
TUNNEL_BACKEND, ONLINK_BACKEND, UNRESOLVED_BACKEND = "10.0.1.11", "10.0.2.11", "10.0.3.1"
TUNNEL_BACKEND6, ONLINK_BACKEND6 = "fd00:1::11", "fd00:2::11"
NEIGHBOURS = {
    TUNNEL_BACKEND: exchange.ROUTER_MAC, TUNNEL_BACKEND6: exchange.ROUTER_MAC,
    ONLINK_BACKEND: exchange.ONLINK_MAC, ONLINK_BACKEND6: exchange.ONLINK_MAC,
}


def head(neighbours: dict[str, str], mtu: int = exchange.MTU, port_keys: str = "",
         tunnel_sources: tuple[str, str] = (exchange.TUNNEL_SOURCE, exchange.TUNNEL_SOURCE6),
         device: str = "net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap", workers: str = "[0]") -> str:
    """Everything but the services; `neighbours` is address → MAC."""
    text = f"""\
[node]
name = "golden"

[dataplane]
workers = {workers}
tunnel_source = "{tunnel_sources[0]}"
tunnel_source_ipv6 = "{tunnel_sources[1]}"

[[dataplane.port]]
name = "edge0"
device = "{device}"
mtu = {mtu}
{port_keys}"""
    for address, mac in neighbours.items():
        text += f'\n[[dataplane.neighbour]]\naddress = "{address}"\nmac = "{mac}"\nport = "edge0"\n'
    return text


def backends_text(name: str, addresses: list[str], keys: list[str]) -> str:
    """`keys` of each of them, or none."""
    lines = "".join(f'  {{ name = "{name}-{n}", address = "{address}"{own and ", " + own} }},\n'
                    for n, (address, own) in enumerate(zip(addresses, keys or [""] * len(addresses), strict=True), 1))
    return f"[\n{lines}]" if lines else "[]"


def service(name: str, vip: str, protocol: str, port: int | str, forwarding: str, backends: str | list[str] | None,
            keys: str = "", backend_keys: list[str] | None = None) -> str:
    """`keys` are further lines of the service, `backend_keys` those of each backend, `port` as in the file: a number, a
    range or any."""
    addresses = [backends] if isinstance(backends, str) else backends or []
    lines = "".join(line.strip() + "\n" for line in keys.splitlines() if line.strip())
    return f"""
[[service]]
name = "{name}"
vip = "{vip}"
protocol = "{protocol}"
port = {port if isinstance(port, int) else f'"{port}"'}
forwarding = "{forwarding}"
maglev_size = 16381
{lines}probe = {{ type = "none" }}
backend = {backends_text(name, addresses, backend_keys or [])}
"""


STANDARD = Configuration("standard", (
    head(NEIGHBOURS)
    + service("web", VIP, "tcp", 80, "ipip", TUNNEL_BACKEND)
    + service("dns", VIP, "udp", 53, "ipip", TUNNEL_BACKEND)
    + service("onlink", ONLINK_VIP, "tcp", 80, "l2dsr", ONLINK_BACKEND)
    + service("web6", VIP6, "tcp", 80, "ipip", TUNNEL_BACKEND6)
    + service("dns6", VIP6, "udp", 53, "ipip", TUNNEL_BACKEND6)
    + service("onlink6", ONLINK_VIP6, "tcp", 80, "l2dsr", ONLINK_BACKEND6)
    + service("empty", EMPTY_VIP, "tcp", 80, "ipip", None)
    + service("unresolved", EMPTY_VIP, "tcp", 81, "ipip", UNRESOLVED_BACKEND)
))
