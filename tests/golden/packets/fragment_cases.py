# SPDX-License-Identifier: Apache-2.0
"""Fragments follow the first one of their datagram, in whatever order they come."""

from configuration import ONLINK_VIP6, STANDARD, TUNNEL_BACKEND, TUNNEL_BACKEND6, VIP, VIP6
from exchange import CLIENT, CLIENT6, ONLINK_MAC, Case, dropped, ether, forwarded
from fragments import fragments_of
from scapy.all import IP, TCP, UDP, IPv6, IPv6ExtHdrFragment, Packet
from tunnels import Outer

TUNNEL, TUNNEL6 = Outer("ipip", TUNNEL_BACKEND), Outer("ipip", TUNNEL_BACKEND6)


def parts4(identification: int, length: int = 3000) -> list[Packet]:
    whole = IP(src=CLIENT, dst=VIP) / UDP(sport=40000, dport=53) / (b"z" * length)
    return fragments_of(whole, identification)


def parts6(identification: int, vip: str = VIP6, port: int = 53) -> list[Packet]:
    layer4 = UDP if port == 53 else TCP
    return fragments_of(IPv6(src=CLIENT6, dst=vip) / layer4(sport=40000, dport=port) / (b"z" * 2500), identification)


def through(tunnel: Outer, packets: list[Packet], waits: bool = False) -> list:
    return [forwarded(one, tunnel.around(one), waits=waits) for one in packets]


def fragments():
    return through(TUNNEL, parts4(7))


def fragments_late_first():
    """The first one comes last: those before it wait."""
    first, *rest = parts4(8)
    return through(TUNNEL, rest, waits=True) + through(TUNNEL, [first])


def fragments_overlap():
    """What overlaps is the server's business; so is a gap, and what comes twice."""
    first, second, third, last = parts4(9)
    overlapping = second.copy()
    overlapping.frag -= 10
    del overlapping.chksum
    return through(TUNNEL, [first, overlapping, second, second, last, third, first])


def fragments_cut():
    """Fragments that do not fit are cut further: offsets add up, and only the last piece of the last one is the last."""
    parts = fragments_of(IP(src=CLIENT, dst=VIP) / UDP(sport=40000, dport=53) / (b"z" * 4000), 10, 1480)
    return [forwarded(part, TUNNEL.cut(part) if len(part) > 1480 else TUNNEL.around(part)) for part in parts]


def fragments_alone():
    """The first one never comes."""
    _, *rest = parts4(11)
    return [dropped("fragment_without_first", ether() / one, waits=True) for one in rest]


def fragments6():
    return through(TUNNEL6, parts6(7)) + [
        forwarded(one, one, ONLINK_MAC) for one in parts6(0x12345678, ONLINK_VIP6, 80)]


def fragments6_late_first():
    first, *rest = parts6(0x80000008)
    return through(TUNNEL6, rest, waits=True) + through(TUNNEL6, [first])


def fragments6_overlap():
    first, second, last = parts6(9)
    overlapping = second.copy()
    overlapping[IPv6ExtHdrFragment].offset -= 10
    atomic = IPv6(src=CLIENT6, dst=VIP6) / IPv6ExtHdrFragment(nh=17, id=10) / UDP(sport=40000, dport=53) / b"whole"
    return through(TUNNEL6, [first, overlapping, second, second, last, atomic])


ROWS = {
    fragments: ("fragments in order", "IPv4", "UDP"),
    fragments_late_first: ("fragments before their first one", "IPv4", "UDP"),
    fragments_overlap: ("fragments that overlap or come twice", "IPv4", "UDP"),
    fragments_cut: ("fragments that are cut further", "IPv4", "UDP"),
    fragments_alone: ("fragments without a first one", "IPv4", "UDP"),
    fragments6: ("fragments in order, tunnelled and on-link", "IPv6", "UDP, TCP"),
    fragments6_late_first: ("fragments before their first one", "IPv6", "UDP"),
    fragments6_overlap: ("fragments that overlap, and an atomic one", "IPv6", "UDP"),
}
WAITING = (fragments_late_first, fragments_alone, fragments6_late_first)
CASES = {case.__name__: Case(row, STANDARD, case, waits=case in WAITING) for case, row in ROWS.items()}
