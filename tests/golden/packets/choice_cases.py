# SPDX-License-Identifier: Apache-2.0
"""Which service takes a packet, and which backend of several gets it: precedence, weights, affinity, untracked flows."""

from configuration import Configuration, head, service
from exchange import ROUTER_MAC, Case, Exchange, forwarded
from maglev import Pool
from scapy.all import IP, TCP, UDP, IPv6, Packet, Raw
from tunnels import Outer

SOURCES = ("10.0.16.0/20", "fd00:16::/64")
BACKEND6, VIP_SPREAD, VIP_SPREAD6 = "fd00:1::21", "198.51.100.40", "2001:db8:100::40"
BACKENDS = tuple(f"10.0.1.{host}" for host in range(21, 24))
VIPS = {name: f"198.51.100.{host}" for host, name in enumerate(("plain", "weighted", "client", "client_port", "untracked"), 30)}
VIP6 = "2001:db8:100::30"
PREFIX = 24
WEIGHTS = (100, 50, 7)
EQUAL = tuple((backend, 100) for backend in BACKENDS)
POOLS = {name: Pool(vip, "udp" if name == "untracked" else "tcp", 0 if name == "client_port" else 80, EQUAL)
         for name, vip in VIPS.items()}
POOLS["weighted"] = Pool(VIPS["weighted"], "tcp", 80, tuple(zip(BACKENDS, WEIGHTS, strict=True)))
POOL6 = Pool(VIP6, "tcp", 80, EQUAL)
KEYS = {"client": f'affinity = "client"\naffinity_prefix = {PREFIX}', "client_port": 'affinity = "client_port"',
        "untracked": "track = false"}

# Of the services that take a packet, the earlier ones in this list: docs/reference/configuration.md. The last number is
# that of the backend.
PRECEDENCE = (
    ("198.51.100.65", "tcp", 8042, 31), ("198.51.100.65", "tcp", "8040-8049", 32), ("198.51.100.65", "tcp", "8000-8099", 33),
    ("198.51.100.65", "tcp", "any", 34), ("198.51.100.65", "any", "any", 35), ("198.51.100.64/28", "tcp", 8042, 36),
    ("198.51.100.64/28", "any", "any", 37), ("2001:db8:100:1::/64", "udp", "any", 38),
)
CHOSEN = (
    ("198.51.100.65", TCP, 8042, 31), ("198.51.100.65", TCP, 8041, 32), ("198.51.100.65", TCP, 8049, 32),
    ("198.51.100.65", TCP, 8050, 33), ("198.51.100.65", TCP, 8099, 33), ("198.51.100.65", TCP, 8100, 34),
    ("198.51.100.65", UDP, 8042, 35), ("198.51.100.66", TCP, 8042, 36), ("198.51.100.66", TCP, 8043, 37),
    ("198.51.100.79", UDP, 53, 37), ("2001:db8:100:1::77", UDP, 443, 38),
)


def make_configuration() -> Configuration:
    addresses = [*BACKENDS, *(f"10.0.1.{number}" for *_, number in PRECEDENCE)]
    text = head(dict.fromkeys([*addresses, BACKEND6], ROUTER_MAC), tunnel_sources=SOURCES)
    for name, pool in [*POOLS.items(), ("six", POOL6)]:
        text += service(name.replace("_", "-"), pool.vip, pool.protocol, pool.port or "any", "ipip", list(BACKENDS),
                        KEYS.get(name, ""), [f"weight = {weight}" for _, weight in pool.backends])
    for vip, protocol, port, number in PRECEDENCE:
        text += service(f"order{number}", vip, protocol, port, "ipip", f"10.0.1.{number}")
    for name, vip, backend in (("spread", VIP_SPREAD, BACKEND6), ("spread6", VIP_SPREAD6, BACKENDS[0])):
        text += service(name, vip, "tcp", 80, "gue", backend)
    return Configuration("choice", text)


def to(backend: str, packet: Packet, kind: str = "ipip", entropy: int | None = None) -> Exchange:
    return forwarded(packet, Outer(kind, backend, SOURCES[":" in backend]).around(packet, entropy))


def syn(source: str, port: int, vip: str, to_port: int = 80) -> Packet:
    return (IPv6 if ":" in vip else IP)(src=source, dst=vip) / TCP(sport=port, dport=to_port, flags="S")


def tuples():
    """Another port, another backend; what follows the SYN stays."""
    pool = POOLS["plain"]
    out = [to(pool.choose_by_tuple("192.0.2.1", port), syn("192.0.2.1", port, pool.vip)) for port in range(40000, 40012)]
    again = [IP(src="192.0.2.1", dst=pool.vip) / TCP(sport=port, dport=80, flags="A") for port in range(40000, 40004)]
    return out + [to(pool.choose_by_tuple("192.0.2.1", one[TCP].sport), one) for one in again]


def tuples6():
    return [to(POOL6.choose_by_tuple("2001:db8:c::1", port), syn("2001:db8:c::1", port, VIP6))
            for port in range(40000, 40012)]


def weights():
    pool = POOLS["weighted"]
    return [to(pool.choose_by_tuple("192.0.2.1", port), syn("192.0.2.1", port, pool.vip)) for port in range(40000, 40040)]


def affinity_client():
    """Clients with 24 bits in common stay together, whatever their ports."""
    pool = POOLS["client"]
    return [to(pool.choose_by_client(source, PREFIX), syn(source, port, pool.vip))
            for source in ("192.0.2.1", "192.0.2.77", "192.0.3.1", "192.0.4.1", "203.0.113.9", "198.18.0.1")
            for port in (40000, 40001)]


def affinity_client_port():
    """A client's port goes to one backend, whatever port of the service it asks."""
    pool = POOLS["client_port"]
    return [to(pool.choose_by_client_port("192.0.2.1", port), syn("192.0.2.1", port, pool.vip, to_port))
            for port in range(40000, 40006) for to_port in (80, 443)]


def untracked():
    pool = POOLS["untracked"]
    return [to(pool.choose_by_tuple("192.0.2.1", port),
               IP(src="192.0.2.1", dst=pool.vip) / UDP(sport=port, dport=80) / b"query") for port in range(40000, 40012)]


def precedence():
    out = []
    for vip, kind, port, number in CHOSEN:
        ip = IPv6(src="2001:db8:c::1", dst=vip) if ":" in vip else IP(src="192.0.2.1", dst=vip)
        out.append(to(f"10.0.1.{number}", ip / kind(sport=40000, dport=port)))
    # A service of any protocol takes those without ports, too.
    return out + [to("10.0.1.35", IP(src="192.0.2.1", dst="198.51.100.65", proto=protocol) / Raw(b"12345678"))
                  for protocol in (4, 47, 50, 132)]


def tunnel_source():
    """Of a prefix the host bits are the flow's, so that a receiver's queues share the load."""
    return [to(backend, syn(source, port, vip), "gue0")
            for backend, source, vip in ((BACKEND6, "192.0.2.1", VIP_SPREAD), (BACKENDS[0], "2001:db8:c::1", VIP_SPREAD6))
            for port in range(40000, 40006)]


CONFIGURATION = make_configuration()
ROWS = {
    precedence: ("which service takes a packet", "IPv4, IPv6", "TCP, UDP, others"),
    tuples: ("affinity `tuple`", "IPv4", "TCP"),
    tuples6: ("affinity `tuple`", "IPv6", "TCP"),
    weights: ("weights", "IPv4", "TCP"),
    affinity_client: ("affinity `client`", "IPv4", "TCP"),
    affinity_client_port: ("affinity `client_port`", "IPv4", "TCP"),
    tunnel_source: ("source of the tunnel from a prefix", "both", "TCP"),
    untracked: ("`track = false`", "IPv4", "UDP"),
}
CASES = {case.__name__: Case(row, CONFIGURATION, case) for case, row in ROWS.items()}
