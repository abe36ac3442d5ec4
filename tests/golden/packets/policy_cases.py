# SPDX-License-Identifier: Apache-2.0
"""What a service's policy does to packets: access lists, limits, mss_clamp, on_down."""

from configuration import TUNNEL_BACKEND, TUNNEL_BACKEND6, Configuration, head, service
from exchange import CLIENT, CLIENT6, ROUTER_MAC, Case, Exchange, dropped, ether, forwarded, replied
from maglev import Pool
from scapy.all import IP, TCP, IPv6, Packet
from tunnels import Outer

VIP, VIP6 = "198.51.100.50", "2001:db8:100::50"
PAIR = ("10.0.1.41", "10.0.1.42")
MSS = 1400
LISTED, CLAMPED = 81, 90
LIMITS = {  # of a service each, by its port: what it says, and what the third flow is dropped for
    82: ("flows = 2", "service_flow_limit"),
    83: ("flows_per_backend = 2", "backend_flow_limit"),
    84: ("new_flows_per_second = 2", "service_flow_rate"),
    85: ("new_flows_per_second_per_source = 2, source_prefix = 24", "source_flow_rate"),
}
DOWN = {"rehash": 86, "keep": 87, "reset": 88}
TUNNEL, TUNNEL6 = Outer("ipip", TUNNEL_BACKEND), Outer("ipip", TUNNEL_BACKEND6)

CONFIGURATION = Configuration("policy", (
    head(dict.fromkeys((TUNNEL_BACKEND, TUNNEL_BACKEND6, *PAIR), ROUTER_MAC))
    + '\n[access]\ndeny = ["203.0.113.66", "2001:db8:bad::/48"]\n'
    + service("listed", VIP, "tcp", LISTED, "ipip", TUNNEL_BACKEND,
              'allow = ["192.0.2.0/24", "203.0.113.0/24"]\ndeny = ["192.0.2.66"]')
    + service("listed6", VIP6, "tcp", LISTED, "ipip", TUNNEL_BACKEND6, 'allow = ["2001:db8:c::/48", "2001:db8:bad::/48"]')
    + "".join(service(f"limit{port}", VIP, "tcp", port, "ipip", TUNNEL_BACKEND, f"limit = {{ {limit} }}")
              for port, (limit, _) in LIMITS.items())
    + "".join(service(f"clamp{vip}", address, "tcp", CLAMPED, "ipip", backend, f"mss_clamp = {MSS}")
              for vip, address, backend in (("4", VIP, TUNNEL_BACKEND), ("6", VIP6, TUNNEL_BACKEND6)))
    + "".join(service(name, VIP, "tcp", port, "ipip", list(PAIR), f'on_down = "{name}"') for name, port in DOWN.items())
))


def segment(source: str, port: int, flags: str = "S", sport: int = 40000, payload=b"", **fields) -> Packet:
    ip = IPv6(src=source, dst=VIP6) if ":" in source else IP(src=source, dst=VIP)
    return ip / TCP(sport=sport, dport=port, flags=flags, **fields) / payload


def tunnelled(packet: Packet, sent: Packet | None = None) -> Exchange:
    """`sent`: what is in the tunnel, if not the packet as it came."""
    return forwarded(packet, (TUNNEL6 if isinstance(packet, IPv6) else TUNNEL).around(sent or packet))


def access():
    """Global list before the service's, deny before allow."""
    refused = (("203.0.113.66", "source_denied"), ("192.0.2.66", "source_denied"), ("198.18.0.1", "source_not_allowed"),
               ("2001:db8:bad::1", "source_denied"), ("2001:db8:d::1", "source_not_allowed"))
    return [tunnelled(segment(source, LISTED)) for source in ("192.0.2.1", "203.0.113.67", CLIENT6)] + [
        dropped(reason, ether() / segment(source, LISTED)) for source, reason in refused]


def limits():
    """Two flows are let in, the third is not; what is established goes on."""
    out = []
    for port, (_, reason) in LIMITS.items():
        flows = [segment("192.0.2.1", port, sport=sport) for sport in (40000, 40001, 40002)]
        out += [tunnelled(flows[0]), tunnelled(flows[1]), dropped(reason, ether() / flows[2]),
                tunnelled(segment("192.0.2.1", port, "A", sport=40001))]
    # Another source has a rate of its own.
    return out + [tunnelled(segment("198.18.0.1", 85))]


def clamp():
    """Only a SYN's option, only if it is larger, wherever it stands."""
    before = ([("MSS", 1460)], [("NOP", None), ("MSS", 1460), ("NOP", None)], [("SAckOK", b""), ("MSS", 9000)],
              [("MSS", MSS)], [("MSS", 536)], [("WScale", 7)], [])
    out = []
    for client in (CLIENT, CLIENT6):
        for sport, options in enumerate(before, 40000):
            after = [(name, min(value, MSS)) if name == "MSS" else (name, value) for name, value in options]
            out.append(tunnelled(segment(client, CLAMPED, sport=sport, options=options),
                                 segment(client, CLAMPED, sport=sport, options=after)))
        out.append(tunnelled(segment(client, CLAMPED, "A", options=[("MSS", 1460)])))
    return out


def down(name: str):
    """Two flows, then the server of the first goes down."""
    pool = Pool(VIP, "tcp", DOWN[name], tuple((backend, 100) for backend in PAIR))
    by_backend = {pool.choose_by_tuple(CLIENT, sport): sport for sport in range(40000, 40020)}
    dying, other = PAIR

    def to(backend: str, sport: int, flags: str, **fields) -> Exchange:
        packet = segment(CLIENT, pool.port, flags, sport, **fields)
        return forwarded(packet, Outer("ipip", backend).around(packet))

    def reset(sport: int, answer: dict, **fields) -> Exchange:
        """RFC 9293 3.10.7.1, in the words of the connection's other end."""
        return replied(segment(CLIENT, pool.port, sport=sport, **fields),
                       IP(src=VIP, dst=CLIENT, id=0, flags="DF", ttl=64)
                       / TCP(sport=pool.port, dport=sport, window=0, **answer))

    first, second = by_backend[dying], by_backend[other]
    out = [to(dying, first, "S"), to(other, second, "S"), to(dying, first, "A", payload=b"before")]
    alive = to(other, second, "A", payload=b"alive")
    if name == "reset":
        return [*out, reset(first, {"flags": "R", "seq": 77}, flags="PA", ack=77, payload=b"after"), alive]
    if name == "keep":
        return [*out, to(dying, first, "A", payload=b"after"), alive]
    return [*out, to(other, first, "A", payload=b"after"), alive, to(other, first, "S")]


ROWS = {
    access: ("access lists", "IPv4, IPv6", "TCP"),
    limits: ("limits", "IPv4", "TCP"),
    clamp: ("`mss_clamp`", "IPv4, IPv6", "TCP"),
}
FALLS = "every backend is up, always"
CASES = {case.__name__: Case(row, CONFIGURATION, case) for case, row in ROWS.items()} | {
    f"down_{name}": Case((f'`on_down = "{name}"`', "IPv4", "TCP"), CONFIGURATION, lambda name=name: down(name),
                         unlike={} if name == "keep" else {"replay": FALLS}, down={4: f"{name}/{name}-1"})
    for name in DOWN}
