# SPDX-License-Identifier: Apache-2.0
"""The golden packets: for each case what comes in, and what scapy says must come out.

Modes x families x protocols are made by modes.py; here is what is one of a kind.
"""

import modes
from configuration import EMPTY_VIP, ONLINK_VIP, STANDARD, TUNNEL_BACKEND, VIP
from exchange import CLIENT, CLIENT_MAC, ONLINK_MAC, OUR_MAC, Case, Exchange, Outer, dropped, ether, forwarded
from scapy.all import ARP, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, IPOption_NOP, IPv6, fragment


def tunnelled(outer: Outer, inner: IP, tags=()) -> Exchange:
    return forwarded(inner, outer.ipip(inner, TUNNEL_BACKEND), tags=tags)


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
    outer = Outer()
    return [tunnelled(outer, syn(), [Dot1Q(vlan=7, prio=5)]),
            tunnelled(outer, syn(), [Dot1AD(vlan=100), Dot1Q(vlan=7)]),
            dropped("too_many_vlan_tags", ether([Dot1Q(vlan=1), Dot1Q(vlan=2), Dot1Q(vlan=3)]) / syn())]


def options():
    outer = Outer()
    return [tunnelled(outer, syn(options=[IPOption_NOP()] * count)) for count in (4, 8, 40)]


def dont_fragment():
    outer = Outer()
    return [tunnelled(outer, query(flags=flags)) for flags in ("DF", 0, 0, "DF", 0)]


def tos_and_ecn():
    outer = Outer()
    return [tunnelled(outer, syn(tos=tos)) for tos in (0, 1, 2, 3, 0xb8, 0xb8 | 3, 0xff)]


def arp():
    question = Ether(dst="ff:ff:ff:ff:ff:ff", src=CLIENT_MAC) / ARP(hwsrc=CLIENT_MAC, psrc=CLIENT, pdst=VIP)
    answer = Ether(dst=CLIENT_MAC, src=OUR_MAC) / ARP(op=2, hwsrc=OUR_MAC, psrc=VIP, hwdst=CLIENT_MAC, pdst=CLIENT)
    other = Ether(dst="ff:ff:ff:ff:ff:ff", src=CLIENT_MAC) / ARP(hwsrc=CLIENT_MAC, psrc=CLIENT, pdst="198.51.100.99")
    return [Exchange(bytes(question), "reply", bytes(answer)),
            Exchange(bytes(other), "kernel"),
            dropped("bad_arp", bytes(question)[:15] + b"\x06" + bytes(question)[16:]),  # hardware type: IEEE 802
            dropped("truncated_arp", bytes(question)[:40])]


def icmp():
    question = ether() / IP(src=CLIENT, dst=VIP, id=9, ttl=9) / ICMP(id=1, seq=2) / b"odd"
    answer = Ether(dst=CLIENT_MAC, src=OUR_MAC) / IP(src=VIP, dst=CLIENT, id=9, ttl=64) / ICMP(type=0, id=1, seq=2) / b"odd"
    spoofed = ether() / IP(src="255.255.255.255", dst=VIP) / ICMP()
    answered = bytes(IP(src=VIP, dst=CLIENT) / TCP(sport=80, dport=40000, flags="A"))
    return [Exchange(bytes(question), "reply", bytes(answer)),
            tunnelled(Outer(), IP(src="203.0.113.9", dst=VIP) / ICMP(type=3, code=4, nexthopmtu=1400) / answered),
            tunnelled(Outer(), IP(src="203.0.113.9", dst=VIP) / ICMP(type=11, code=0) / answered[:28]),
            dropped("bad_icmp_error", ether() / IP(src="203.0.113.9", dst=VIP) / ICMP(type=3, code=1) / answered[:23]),
            dropped("bad_icmp_error", ether() / IP(src=CLIENT, dst=VIP) / ICMP(type=3, code=4) / bytes(syn())),
            dropped("unhandled_icmp", ether() / IP(src=CLIENT, dst=VIP) / ICMP(type=10)),
            dropped("bad_icmp_checksum", ether() / IP(src=CLIENT, dst=VIP) / ICMP(chksum=1)),
            dropped("bad_reply_target", spoofed),
            Exchange(bytes(ether() / IP(src=CLIENT, dst="198.51.100.99") / ICMP()), "kernel")]


def services():
    return [dropped("no_service", ether() / IP(src=CLIENT, dst=VIP) / TCP(dport=81)),
            dropped("no_service", ether() / IP(src=CLIENT, dst=VIP) / UDP(dport=80)),
            dropped("no_service", ether() / IP(src=CLIENT, dst=VIP, proto=47) / b"gre?"),
            dropped("no_backend", ether() / syn(dst=EMPTY_VIP)),
            dropped("next_hop_unresolved", ether() / IP(src=CLIENT, dst=EMPTY_VIP) / TCP(dport=81, flags="S"))]


def fragments():
    whole = IP(src=CLIENT, dst=VIP, id=7) / UDP(sport=40000, dport=53) / (b"z" * 3000)
    outer = Outer()
    return [tunnelled(outer, part) for part in fragment(whole, fragsize=1000)]


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


def too_big():
    outer = Outer()
    big = query(b"f" * 1453, flags="DF")
    told = IP(src=VIP, dst=CLIENT, id=0, flags="DF", ttl=64) / ICMP(type=3, code=4, nexthopmtu=1480) / bytes(big)[:548]
    return [tunnelled(outer, query(b"f" * 1452)),
            Exchange(bytes(ether() / big), "reply", bytes(Ether(dst=CLIENT_MAC, src=OUR_MAC) / told)),
            onlink(IP(src=CLIENT, dst=ONLINK_VIP) / TCP(dport=80, flags="A") / (b"f" * 1460))]


def mixed():
    """Everything in one stream, more than one burst of it."""
    outer, out = Outer(), []
    for port in range(100):
        inner = IP(src=CLIENT, dst=VIP) / TCP(sport=1000 + port, dport=80, flags="S")
        out.append(tunnelled(outer, inner))
        out += [one for one in malformed() + services() + icmp() + arp()][port % 7 :: 7]
    return out


ROWS = {
    vlan: ("802.1Q and QinQ, tunnelled", "IPv4", "TCP"),
    vlan_l2dsr: ("802.1Q and QinQ, on-link", "IPv4", "TCP"),
    options: ("IP options", "IPv4", "TCP"),
    dont_fragment: ("outer DF, whatever the inner packet says", "IPv4", "UDP"),
    tos_and_ecn: ("outer DSCP and ECN", "IPv4", "TCP"),
    arp: ("ARP for a VIP and for others", "IPv4", "ARP"),
    icmp: ("echo to a VIP, errors to a flow's backend, other ICMP", "IPv4", "ICMP"),
    services: ("no service, no backend, no next hop", "IPv4", "TCP, UDP, GRE"),
    fragments: ("fragments", "IPv4", "UDP"),
    malformed: ("malformed headers", "IPv4", "TCP, UDP, ICMP"),
    ipv6: ("malformed headers", "IPv6", "TCP"),
    too_big: ("sizes around the MTU", "IPv4", "UDP, TCP"),
    mixed: ("everything in more than one burst", "IPv4", "all"),
}

CASES = {
    **modes.CASES,
    **{case.__name__: Case(row, STANDARD, case) for case, row in ROWS.items()},
}
