# SPDX-License-Identifier: Apache-2.0
"""NAT both ways: RFC 3022 (IPv4), the same for IPv6; ICMP errors by RFC 5508 4 and 7; TOA as LVS's module reads it.

Every case has a service, and so a pool of source ports, of its own: its files mean the same alone.
"""

import dataclasses
import struct

import configuration
import flow_hash
from exchange import (CLIENT, CLIENT6, CLIENT_MAC, MTU, ONLINK_MAC, Case, Exchange, built, dropped, ether, forwarded,
                      leaving, replied, side_by_side)
from fragments import fragments_of
from icmp_cases import ERRORS4, ERRORS6
from scapy.all import ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, ICMPv6EchoRequest, IPv6, Packet, Raw
from tunnels import pieces, too_big

SOURCE, SOURCE6 = "10.9.0.1", "fd00:9::1"  # NAT's own
FIRST_PORT = 1024
ROUTER, ROUTER6 = "203.0.113.9", "2001:db8:ffff::9"  # anybody on the way
SERVER_MAC = ONLINK_MAC
CLIENT_PORT = 40000


def ip(source: str, destination: str, **fields) -> Packet:
    """`fields` by their IPv4 names; those that IPv6 has not are left out."""
    if ":" not in source:
        return IP(src=source, dst=destination, **fields)
    names = {"ttl": "hlim", "tos": "tc"}
    return IPv6(src=source, dst=destination, **{names[name]: value for name, value in fields.items() if name in names})


@dataclasses.dataclass(frozen=True)
class Flow:
    """A flow of the service on `port` of the VIP; its server listens elsewhere."""

    family: int
    kind: type  # TCP or UDP
    port: int
    number: int = 0  # of the service's flows
    ports: tuple[int, int] = (FIRST_PORT, 65536 - FIRST_PORT)  # of each source, the worker's share: first and how many

    @property
    def client(self) -> str:
        return CLIENT if self.family == 4 else CLIENT6

    @property
    def vip(self) -> str:
        return "198.51.100.20" if self.family == 4 else "2001:db8:100::20"

    @property
    def server(self) -> str:
        return f"10.0.2.{self.port % 100}" if self.family == 4 else f"fd00:2::{self.port % 100}"

    @property
    def server_port(self) -> int:
        return 8000 + self.port

    @property
    def source(self) -> str:
        return SOURCE if self.family == 4 else SOURCE6

    @property
    def source_port(self) -> int:
        """The first flow of a pool starts where its hash says, the next ones follow (docs/design/nat.md)."""
        first = flow_hash.flow_hash(self.client, self.vip, CLIENT_PORT, self.port, 6 if self.kind is TCP else 17)
        return self.ports[0] + ((first >> 32) + self.number) % self.ports[1]

    @property
    def client_port(self) -> int:
        return CLIENT_PORT + self.number

    def asked(self, payload=b"", fields=None, **layer4) -> tuple[Packet, Packet]:
        """What the client sends, and what the server gets."""
        return (ip(self.client, self.vip, **(fields or {}))
                / self.kind(sport=self.client_port, dport=self.port, **layer4) / payload,
                ip(self.source, self.server, **(fields or {}))
                / self.kind(sport=self.source_port, dport=self.server_port, **layer4) / payload)

    def answered(self, payload=b"", fields=None, **layer4) -> tuple[Packet, Packet]:
        """What the server sends, and what the client gets."""
        return (ip(self.server, self.source, **(fields or {}))
                / self.kind(sport=self.server_port, dport=self.source_port, **layer4) / payload,
                ip(self.vip, self.client, **(fields or {}))
                / self.kind(sport=self.port, dport=self.client_port, **layer4) / payload)

    def service(self, keys: str = "") -> str:
        protocol = "tcp" if self.kind is TCP else "udp"
        return configuration.service(f"nat{self.family}-{protocol}{self.port}", self.vip, protocol, self.port, "nat",
                                     self.server, keys, [f"port = {self.server_port}"])


def inwards(sent: Packet, got: Packet, tags=()) -> Exchange:
    return forwarded(sent, got, SERVER_MAC, tags)


def outwards(sent: Packet, got: Packet | list[Packet], tags=(), client_tags=(), waits=False) -> Exchange:
    """From the server's side; to the client it leaves as the client's packets came."""
    out = tuple(leaving(one, CLIENT_MAC, client_tags) for one in (got if isinstance(got, list) else [got]))
    return Exchange(bytes(ether(tags, SERVER_MAC) / sent), "forward", out, waits)


def tcp(flow: Flow) -> list[Exchange]:
    """A connection, opened and closed from both ends; marks and TTL stay."""
    marks = {"tos": 0xB9, "ttl": 17}
    return [inwards(*flow.asked(flags="S", seq=100, options=[("MSS", 1460), ("SAckOK", b"")])),
            outwards(*flow.answered(flags="SA", seq=500, ack=101)),
            inwards(*flow.asked(flags="A", seq=101, ack=501)),
            inwards(*flow.asked(b"GET /", marks, flags="PA", seq=101, ack=501)),
            outwards(*flow.answered(b"200 OK odd", marks, flags="PA", seq=501, ack=106)),
            outwards(*flow.answered(flags="FA", seq=511, ack=106)),
            inwards(*flow.asked(flags="FA", seq=106, ack=512)),
            outwards(*flow.answered(flags="A", seq=512, ack=107))]


def udp(flow: Flow) -> list[Exchange]:
    out = []
    for payload in (b"query", b"", b"even", b"x" * 511):
        out += [inwards(*flow.asked(payload)), outwards(*flow.answered(payload + b"!"))]
    if flow.family == 4:  # no checksum stays none (RFC 768)
        out += [inwards(*flow.asked(b"none", chksum=0)), outwards(*flow.answered(b"none", chksum=0))]
    return out


def ports(flow: Flow) -> list[Exchange]:
    """A flow has the port behind that of the one before it; so has one that begins anew where the old one was reset."""
    again = dataclasses.replace(flow, number=2).source_port
    flows = [dataclasses.replace(flow, number=number) for number in (0, 1)]
    old, anew = flows[0].asked(flags="S")[0], flows[0].asked(flags="S")[1].copy()
    anew[TCP].sport = again
    return [inwards(*flows[0].asked(flags="S")), inwards(*flows[1].asked(flags="S")), inwards(*flows[0].asked(flags="R")),
            inwards(old, anew)]


def tags(flow: Flow) -> list[Exchange]:
    """Towards the server the client's tags stay; a reply gets those of the client's last packet."""
    qinq, tagged = [Dot1AD(vlan=100), Dot1Q(vlan=7)], [Dot1Q(vlan=8, prio=3)]
    return [inwards(*flow.asked(b"1"), qinq), outwards(*flow.answered(b"2"), [Dot1Q(vlan=20)], qinq),
            inwards(*flow.asked(b"3"), tagged), outwards(*flow.answered(b"4"), (), tagged)]


def errors(flow: Flow) -> list[Exchange]:
    """What each side is told quotes what that side has sent; a router is shown as the other end."""
    router = ROUTER if flow.family == 4 else ROUTER6
    least = (20 if flow.family == 4 else 40) + 8
    out = [inwards(*flow.asked(b"first"))]
    kinds = [ICMP(**error) for error in ERRORS4] if flow.family == 4 else list(ERRORS6)
    for length in (None, least):
        for kind in kinds:
            by_server, at_client = (Raw(bytes(one)[:length]) for one in flow.answered(b"quoted", {"ttl": 3}))
            out.append(inwards(ip(router, flow.vip) / kind.copy() / at_client,
                               ip(flow.source, flow.server) / kind.copy() / by_server))
            by_client, at_server = (Raw(bytes(one)[:length]) for one in flow.asked(b"quoted", {"ttl": 3}))
            out.append(outwards(ip(router, flow.source) / kind.copy() / at_server,
                                ip(flow.vip, flow.client) / kind.copy() / by_client))
    return out


def fragments(flow: Flow) -> list[Exchange]:
    """Ports and checksum stand in the first one; the addresses of all change."""
    asked = zip(*(fragments_of(one, 7) for one in flow.asked(b"a" * 2500, {"id": 7})), strict=True)
    answered = zip(*(fragments_of(one, 8) for one in flow.answered(b"b" * 2500, {"id": 8})), strict=True)
    return [inwards(*pair) for pair in asked] + [outwards(*pair) for pair in answered]


def fragments_late_first(flow: Flow) -> list[Exchange]:
    first, *asked = zip(*(fragments_of(one, 9) for one in flow.asked(b"a" * 2500, {"id": 9})), strict=True)
    begin, *answered = zip(*(fragments_of(one, 10) for one in flow.answered(b"b" * 2500, {"id": 10})), strict=True)
    waiting = [Exchange(bytes(ether() / sent), "forward", (leaving(got, SERVER_MAC),), waits=True) for sent, got in asked]
    return (waiting + [inwards(*first)] + [outwards(*pair, waits=True) for pair in answered] + [outwards(*begin)])


def sizes(flow: Flow) -> list[Exchange]:
    """Both sides are told, or their packets cut."""
    def told_to_server(packet: Packet) -> Exchange:
        return Exchange(bytes(ether((), SERVER_MAC) / packet), "reply", (leaving(too_big(packet, MTU), SERVER_MAC),))

    headers = 28 if flow.family == 4 else 48
    most, wide = b"s" * (MTU - headers), b"s" * (MTU + 1 - headers)
    out = [inwards(*flow.asked(most)), outwards(*flow.answered(most))]
    hard = {"flags": "DF", "id": 77}
    asked, answered = flow.asked(wide, hard)[0], flow.answered(wide, hard)[0]
    out += [replied(asked, too_big(asked, MTU)), told_to_server(answered)]
    if flow.family == 4:
        for one, ways in ((flow.asked(wide, {"id": 78}), inwards), (flow.answered(wide, {"id": 79}), outwards)):
            out.append(ways(one[0], pieces(built(one[1]), MTU)))
    return out


def toa(flow: Flow) -> list[Exchange]:
    """The option stands on every ACK until the server has answered with more than a SYN; what a client sends of that kind
    becomes NOPs; a segment without room goes without."""
    address = flow.client
    packed = struct.pack("!H", flow.client_port) + bytes(map(int, address.split(".")))
    option, forged = (254, packed), (254, struct.pack("!H", 1) + bytes([203, 0, 113, 1]))

    def with_option(payload=b"", options=(), **layer4) -> tuple[Packet, Packet]:
        return (flow.asked(payload, options=list(options), **layer4)[0],
                flow.asked(payload, options=[option] + [("NOP", None)] * (8 * len(options)), **layer4)[1])

    syn = flow.asked(flags="S", options=[forged])[0], flow.asked(flags="S", options=[("NOP", None)] * 8)[1]
    return [inwards(*syn), outwards(*flow.answered(flags="SA")), inwards(*with_option(flags="A")),
            inwards(*with_option(b"GET /", [forged], flags="PA")),
            inwards(*flow.asked(b"w" * 1460, flags="A")),
            inwards(*flow.asked(flags="R"))]


def toa_ends(flow: Flow) -> list[Exchange]:
    """What comes after the server's first segment is the client's own."""
    forged = (254, struct.pack("!H", 1) + bytes([203, 0, 113, 1]))
    return [inwards(*flow.asked(flags="S")), outwards(*flow.answered(flags="SA")), outwards(*flow.answered(flags="A")),
            inwards(*flow.asked(b"GET /", flags="PA", options=[forged]))]


def refused(flow: Flow) -> list[Exchange]:
    """What belongs to no flow; a source answers no echo."""
    stranger = ether((), SERVER_MAC)
    echo = ICMP() if flow.family == 4 else ICMPv6EchoRequest()
    return [dropped("nat_no_flow", stranger / flow.answered(flags="A")[0]),
            dropped("nat_no_flow", ether() / flow.asked(flags="R")[0]),
            dropped("nat_no_flow", stranger / ip(flow.server, flow.source) / echo),
            dropped("nat_no_flow", stranger / ip(flow.server, flow.source) / TCP(sport=1, dport=80)),
            inwards(*flow.asked(flags="S")),
            dropped("nat_no_flow", stranger / ip(flow.server, flow.source) / TCP(sport=1, dport=flow.source_port))]


@dataclasses.dataclass(frozen=True)
class Row:
    make: object
    kind: type
    port: int  # of the VIP
    feature: str
    protocol: str
    families: tuple[int, ...] = (4, 6)
    keys: str = ""


ROWS = (
    Row(tcp, TCP, 21, "both ways", "TCP"),
    Row(udp, UDP, 22, "both ways", "UDP"),
    Row(ports, TCP, 32, "source ports", "TCP"),
    Row(tags, UDP, 23, "tags of both sides", "UDP"),
    Row(errors, TCP, 24, "errors, rewritten inside", "ICMP about TCP"),
    Row(errors, UDP, 25, "errors, rewritten inside", "ICMP about UDP"),
    Row(fragments, UDP, 26, "fragments both ways", "UDP"),
    Row(fragments_late_first, UDP, 27, "fragments before their first one", "UDP"),
    Row(sizes, UDP, 28, "around the MTU, both ways", "UDP"),
    Row(toa, TCP, 29, "the client's address as an option", "TCP", (4,), "toa = true"),
    Row(toa_ends, TCP, 30, "the option ends with the server's answer", "TCP", (4,), "toa = true"),
    Row(refused, TCP, 31, "of no flow", "TCP, ICMP"),
)
FLOWS = {(row, family): Flow(family, row.kind, row.port) for row in ROWS for family in row.families}
NEIGHBOURS = {flow.server: SERVER_MAC for flow in FLOWS.values()}
CONFIGURATION = configuration.Configuration(
    "nat",
    configuration.head(NEIGHBOURS) + f'\n[nat]\nsource = ["{SOURCE}", "{SOURCE6}"]\n'
    + "".join(flow.service(row.keys) for (row, _), flow in FLOWS.items()))


def case(row: Row, flow: Flow) -> Case:
    return Case((f"`nat`, {row.feature}", f"IPv{flow.family}", row.protocol), CONFIGURATION,
                lambda: side_by_side(row.make(flow)), waits=row.make is fragments_late_first)


CASES = {f"nat_{flow.family}_{row.make.__name__}" + (f"_{row.kind.__name__.lower()}" if row.make is errors else ""):
         case(row, flow) for (row, _), flow in FLOWS.items()}
