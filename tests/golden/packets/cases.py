# SPDX-License-Identifier: Apache-2.0
"""The golden packets: for each case what comes in, and what scapy says must come out.

Every service has one backend, so no hash decides, and every expectation is built here from the RFCs, not by Penstock.
"""

import dataclasses

from scapy.all import ARP, ICMP, IP, TCP, UDP, Dot1Q, Dot1AD, Ether, IPOption_NOP, IPv6, Raw, fragment

CLIENT, CLIENT_MAC = "192.0.2.1", "02:00:00:00:00:01"
OUR_MAC = "02:70:63:61:70:00"  # what the pcap driver of DPDK 22.11 calls its first port
ROUTER_MAC, ONLINK_MAC = "02:00:00:00:00:bb", "02:00:00:00:00:cc"
TUNNEL_SOURCE, TUNNEL_BACKEND = "10.0.0.1", "10.0.1.11"
VIP, ONLINK_VIP, EMPTY_VIP = "198.51.100.10", "198.51.100.11", "198.51.100.12"

CONFIGURATION = f"""\
[node]
name = "golden"

[dataplane]
workers = [0]
tunnel_source = "{TUNNEL_SOURCE}"

[[dataplane.port]]
name = "edge0"
device = "net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap"
mtu = 1500

[[dataplane.neighbour]]
address = "{TUNNEL_BACKEND}"
mac = "{ROUTER_MAC}"
port = "edge0"

[[dataplane.neighbour]]
address = "10.0.2.11"
mac = "{ONLINK_MAC}"
port = "edge0"

[[service]]
name = "web"
vip = "{VIP}"
protocol = "tcp"
port = 80
forwarding = "ipip"
probe = {{ type = "none" }}
backend = [{{ name = "web-1", address = "{TUNNEL_BACKEND}" }}]

[[service]]
name = "dns"
vip = "{VIP}"
protocol = "udp"
port = 53
forwarding = "ipip"
probe = {{ type = "none" }}
backend = [{{ name = "dns-1", address = "{TUNNEL_BACKEND}" }}]

[[service]]
name = "onlink"
vip = "{ONLINK_VIP}"
protocol = "tcp"
port = 80
forwarding = "l2dsr"
probe = {{ type = "none" }}
backend = [{{ name = "onlink-1", address = "10.0.2.11" }}]

[[service]]
name = "empty"
vip = "{EMPTY_VIP}"
protocol = "tcp"
port = 80
forwarding = "ipip"
probe = {{ type = "none" }}
backend = []

[[service]]
name = "unresolved"
vip = "{EMPTY_VIP}"
protocol = "tcp"
port = 81
forwarding = "ipip"
probe = {{ type = "none" }}
backend = [{{ name = "unresolved-1", address = "10.0.3.1" }}]
"""


@dataclasses.dataclass(frozen=True)
class Exchange:
    """One packet in; the verdict ("forward", "reply", "kernel" or a drop reason); the packet out."""

    sent: bytes
    verdict: str
    expected: bytes | None = None


def ether(tags=()):
    frame = Ether(dst=OUR_MAC, src=CLIENT_MAC)
    for tag in tags:
        frame = frame / tag
    return frame


class Outer:
    """Outer headers in the order in which they leave: each one that may be fragmented takes the next identification."""

    def __init__(self):
        self.next_id = 0

    def wrap(self, inner: IP, tags=()) -> bytes:
        inner = IP(bytes(inner))
        fixed = "DF" in str(inner.flags)
        number = 0
        if not fixed:
            number, self.next_id = self.next_id, self.next_id + 1
        outer = IP(src=TUNNEL_SOURCE, dst=TUNNEL_BACKEND, ttl=64, proto=4, tos=inner.tos, id=number,
                   flags="DF" if fixed else 0)
        frame = Ether(dst=ROUTER_MAC, src=OUR_MAC)
        for tag in tags:
            frame = frame / tag
        return bytes(frame / outer / Raw(bytes(inner)))


def tunnelled(outer: Outer, inner: IP, tags=()) -> Exchange:
    return Exchange(bytes(ether(tags) / inner), "forward", outer.wrap(inner, tags))


def onlink(inner: IP, tags=()) -> Exchange:
    frame = Ether(dst=ONLINK_MAC, src=OUR_MAC)
    for tag in tags:
        frame = frame / tag
    return Exchange(bytes(ether(tags) / inner), "forward", bytes(frame / inner))


def dropped(reason: str, packet) -> Exchange:
    return Exchange(bytes(packet), reason)


def syn(**header) -> IP:
    return IP(**{"src": CLIENT, "dst": VIP, **header}) / TCP(sport=40000, dport=80, flags="S")


def query(payload=b"query", **header) -> IP:
    return IP(**{"src": CLIENT, "dst": VIP, **header}) / UDP(sport=40000, dport=53) / payload


def tcp_ipip():
    outer, out = Outer(), []
    for flags, payload in (("S", b""), ("A", b""), ("PA", b"GET / HTTP/1.1\r\n\r\n"), ("FA", b""), ("A", b""), ("R", b"")):
        out.append(tunnelled(outer, IP(src=CLIENT, dst=VIP, flags="DF") / TCP(sport=40001, dport=80, flags=flags) / payload))
    return out


def udp_ipip():
    outer = Outer()
    return [tunnelled(outer, query()), tunnelled(outer, query(b"")), tunnelled(outer, query(b"x" * 511))]


def l2dsr():
    return [onlink(syn(dst=ONLINK_VIP, flags="DF")), onlink(syn(dst=ONLINK_VIP, tos=0xb8), [Dot1Q(vlan=9)])]


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
    return [Exchange(bytes(question), "reply", bytes(answer)),
            dropped("unhandled_icmp", ether() / IP(src=CLIENT, dst=VIP) / ICMP(type=3, code=4) / bytes(syn())),
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
    return [dropped("fragment", ether() / part) for part in fragment(whole, fragsize=1000)]


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
    return [tunnelled(outer, query(b"f" * 1452)), dropped("too_big", ether() / query(b"f" * 1453)),
            onlink(IP(src=CLIENT, dst=ONLINK_VIP) / TCP(dport=80, flags="A") / (b"f" * 1460))]


def mixed():
    """Everything in one stream, more than one burst of it."""
    outer, out = Outer(), []
    for port in range(100):
        inner = IP(src=CLIENT, dst=VIP) / TCP(sport=1000 + port, dport=80, flags="S")
        out.append(tunnelled(outer, inner))
        out += [one for one in malformed() + services() + icmp() + arp()][port % 7 :: 7]
    return out


CASES = {case.__name__: case for case in (tcp_ipip, udp_ipip, l2dsr, vlan, options, dont_fragment, tos_and_ecn, arp, icmp,
                                          services, fragments, malformed, ipv6, too_big, mixed)}
