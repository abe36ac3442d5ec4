# SPDX-License-Identifier: Apache-2.0
"""The golden packets: for each case what comes in, and what scapy says must come out.

Modes x families x protocols are made by modes.py; here is what is one of a kind.
"""

import choice_cases
import fragment_cases
import icmp_cases
import modes
import mtu_cases
import nat_cases
import policy_cases
import quic_cases
import size_cases
from configuration import (EMPTY_VIP, NEIGHBOURS, ONLINK_VIP, STANDARD, TUNNEL_BACKEND, TUNNEL_BACKEND6, VIP, VIP6,
                           Configuration, head, service)
from exchange import (CLIENT, CLIENT6, CLIENT_MAC, ONLINK_MAC, OUR_MAC, Case, Exchange, dropped, ether, forwarded, leaving,
                      replied)
from scapy.all import ARP, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, IPOption_NOP, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
from scapy.layers.inet6 import IPv6ExtHdrRouting
from tunnels import Outer

TUNNEL, TUNNEL6 = Outer("ipip", TUNNEL_BACKEND), Outer("ipip", TUNNEL_BACKEND6)


def tunnelled(inner: IP, tags=()) -> Exchange:
    return forwarded(inner, TUNNEL.around(inner), tags=tags)


def tunnelled6(inner: IPv6) -> Exchange:
    return forwarded(inner, TUNNEL6.around(inner))


def onlink(inner: IP, tags=()) -> Exchange:
    return forwarded(inner, inner, ONLINK_MAC, tags)


def syn(**header) -> IP:
    return IP(**{"src": CLIENT, "dst": VIP, **header}) / TCP(sport=40000, dport=80, flags="S")


def query(payload=b"query", **header) -> IP:
    return IP(**{"src": CLIENT, "dst": VIP, **header}) / UDP(sport=40000, dport=53) / payload


def vlan_l2dsr():
    return [onlink(syn(dst=ONLINK_VIP, tos=0xb8), [Dot1Q(vlan=9)]),
            onlink(syn(dst=ONLINK_VIP), [Dot1AD(vlan=100), Dot1Q(vlan=7)])]


def vlan():
    return [tunnelled(syn(), [Dot1Q(vlan=7, prio=5)]),
            tunnelled(syn(), [Dot1AD(vlan=100), Dot1Q(vlan=7)]),
            dropped("too_many_vlan_tags", ether([Dot1Q(vlan=1), Dot1Q(vlan=2), Dot1Q(vlan=3)]) / syn())]


def port_vlan():
    """The port's own tag is taken off and put on, without its priority; what stands in it stays."""
    tag, inner = Dot1Q(vlan=9), Dot1Q(vlan=7, prio=2)
    question = IP(src=CLIENT, dst=VIP) / ICMP(id=1)
    answer = IP(src=VIP, dst=CLIENT) / ICMP(type=0, id=1)
    large = query(b"f" * 1600)
    return [tunnelled(syn(), [tag]), replied(question, answer, [tag]),
            Exchange(bytes(ether([Dot1Q(vlan=9, prio=5)]) / syn()), "forward", (leaving(TUNNEL.around(syn()), tags=[tag]),)),
            tunnelled(syn(), [tag, inner]), forwarded(large, TUNNEL.cut(large), tags=[tag]),
            *(dropped("foreign_vlan", ether(tags) / syn()) for tags in ([], [inner], [Dot1AD(vlan=9)], [inner, tag]))]


def options():
    return [tunnelled(syn(options=[IPOption_NOP()] * count)) for count in (4, 8, 40)]


def dont_fragment():
    return [tunnelled(query(flags=flags)) for flags in ("DF", 0, 0, "DF", 0)]


def tos_and_ecn():
    return [tunnelled(syn(tos=tos)) for tos in (0, 1, 2, 3, 0xb8, 0xb8 | 3, 0xff)]


def arp():
    question = Ether(dst="ff:ff:ff:ff:ff:ff", src=CLIENT_MAC) / ARP(hwsrc=CLIENT_MAC, psrc=CLIENT, pdst=VIP)
    answer = Ether(dst=CLIENT_MAC, src=OUR_MAC) / ARP(op=2, hwsrc=OUR_MAC, psrc=VIP, hwdst=CLIENT_MAC, pdst=CLIENT)
    other = Ether(dst="ff:ff:ff:ff:ff:ff", src=CLIENT_MAC) / ARP(hwsrc=CLIENT_MAC, psrc=CLIENT, pdst="198.51.100.99")
    return [Exchange(bytes(question), "reply", (bytes(answer),)),
            Exchange(bytes(other), "kernel"),
            dropped("bad_arp", bytes(question)[:15] + b"\x06" + bytes(question)[16:]),  # hardware type: IEEE 802
            dropped("truncated_arp", bytes(question)[:40])]


def services():
    return [dropped("no_service", ether() / IP(src=CLIENT, dst=VIP) / TCP(dport=81)),
            dropped("no_service", ether() / IP(src=CLIENT, dst=VIP) / UDP(dport=80)),
            dropped("no_service", ether() / IP(src=CLIENT, dst=VIP, proto=47) / b"gre?"),
            dropped("no_backend", ether() / syn(dst=EMPTY_VIP)),
            dropped("next_hop_unresolved", ether() / IP(src=CLIENT, dst=EMPTY_VIP) / TCP(dport=81, flags="S"))]


def malformed():
    good = bytes(ether() / syn())

    def changed(at: int, value: int, packet: bytes = good) -> bytes:
        return packet[:at] + bytes([value]) + packet[at + 1:]

    return [dropped("truncated_ethernet", good[:13]), dropped("truncated_ipv4", good[:33]),
            dropped("truncated_vlan", bytes(ether([Dot1Q(vlan=1)]) / syn())[:16]),
            dropped("bad_ipv4_version", changed(14, 0x55)), dropped("bad_ipv4_header_length", changed(14, 0x44)),
            dropped("bad_ipv4_total_length", ether() / syn(len=41)),
            dropped("bad_ipv4_total_length", ether() / syn(len=19)),
            dropped("bad_ipv4_checksum", ether() / syn(chksum=0x1234)),
            dropped("truncated_tcp", ether() / syn(len=39)),
            dropped("bad_tcp_header_length", changed(46, 0x40)), dropped("bad_tcp_header_length", changed(46, 0x60)),
            dropped("truncated_udp", ether() / IP(src=CLIENT, dst=VIP, proto=17) / b"1234567"),
            dropped("bad_udp_length", ether() / IP(src=CLIENT, dst=VIP) / UDP(dport=53, len=9)),
            dropped("bad_udp_length", ether() / IP(src=CLIENT, dst=VIP) / UDP(dport=53, len=7)),
            dropped("truncated_icmp", ether() / IP(src=CLIENT, dst=VIP, proto=1) / b"1234567")]


def ipv6():
    packet = ether() / IPv6(src="2001:db8::1", dst="2001:db8::2") / TCP(dport=80)
    return [Exchange(bytes(packet), "kernel"),
            dropped("bad_ipv6_version", bytes(packet)[:14] + b"\x50" + bytes(packet)[15:]),
            dropped("truncated_ipv6", bytes(packet)[:53]),
            dropped("bad_ipv6_payload_length", bytes(packet)[:60])]


def extensions6():
    """Extension headers stay; the first fragment's ports stand behind them, too."""
    def chain(*headers, layer4=TCP(sport=40000, dport=80, flags="S")):
        packet = IPv6(src=CLIENT6, dst=VIP6)
        for header in headers:
            packet = packet / header
        return packet / layer4

    hop, routing, options = IPv6ExtHdrHopByHop(), IPv6ExtHdrRouting(segleft=0), IPv6ExtHdrDestOpt()
    query6 = UDP(sport=40000, dport=53) / b"query"
    short = bytes(ether() / chain(options))
    return [*(tunnelled6(chain(*headers)) for headers in ([hop], [options], [hop, routing, options], [options] * 8)),
            tunnelled6(chain(hop, layer4=query6)),
            dropped("too_many_ipv6_extensions", ether() / chain(*[options] * 9)),
            dropped("truncated_ipv6_extension", short[:18] + b"\x00\x04" + short[20:58]),
            dropped("no_service", ether() / IPv6(src=CLIENT6, dst=VIP6, nh=59)),
            dropped("truncated_tcp", ether() / IPv6(src=CLIENT6, dst=VIP6, nh=6) / b"0123456789"),
            dropped("bad_udp_length", ether() / IPv6(src=CLIENT6, dst=VIP6) / UDP(dport=53, len=9))]


def mixed():
    """Everything in one stream, more than one burst of it."""
    others, out = malformed() + services() + icmp_cases.icmp() + arp(), []
    for port in range(100):
        out.append(tunnelled(IP(src=CLIENT, dst=VIP) / TCP(sport=1000 + port, dport=80, flags="S")))
        out += others[port % 7 :: 7]
    return out


ROWS = {
    vlan: ("802.1Q and QinQ, tunnelled", "IPv4", "TCP"),
    vlan_l2dsr: ("802.1Q and QinQ, on-link", "IPv4", "TCP"),
    options: ("IP options", "IPv4", "TCP"),
    dont_fragment: ("outer DF, whatever the inner packet says", "IPv4", "UDP"),
    tos_and_ecn: ("outer DSCP and ECN", "IPv4", "TCP"),
    arp: ("ARP for a VIP and for others", "IPv4", "ARP"),
    services: ("no service, no backend, no next hop", "IPv4", "TCP, UDP, GRE"),
    malformed: ("malformed headers", "IPv4", "TCP, UDP, ICMP"),
    extensions6: ("extension headers", "IPv6", "TCP, UDP"),
    ipv6: ("malformed headers", "IPv6", "TCP"),
    mixed: ("everything in more than one burst", "IPv4", "all"),
}

PORT_VLAN = Configuration("vlan", (
    head(NEIGHBOURS, port_keys="vlan = 9\n") + service("web", VIP, "tcp", 80, "ipip", TUNNEL_BACKEND)
    + service("dns", VIP, "udp", 53, "ipip", TUNNEL_BACKEND)))

CASES = {
    **modes.CASES,
    **icmp_cases.CASES,
    **size_cases.CASES,
    **fragment_cases.CASES,
    **mtu_cases.CASES,
    **nat_cases.CASES,
    **choice_cases.CASES,
    **policy_cases.CASES,
    **quic_cases.CASES,
    **{case.__name__: Case(row, STANDARD, case) for case, row in ROWS.items()},
    "port_vlan": Case(("a port that stands in a VLAN", "IPv4", "TCP, UDP, ICMP"), PORT_VLAN, port_vlan),
}
