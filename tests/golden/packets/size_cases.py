# SPDX-License-Identifier: Apache-2.0
"""Packets around the MTU: told to the client, or cut before they go into the tunnel. Of every mode: modes.py."""

from configuration import ONLINK_BACKEND, ONLINK_VIP, STANDARD, TUNNEL_BACKEND, VIP
from exchange import CLIENT, CLIENT6, MTU, ONLINK_MAC, Case, Exchange, forwarded, replied
from scapy.all import IP, TCP, UDP, IPOption_NOP, IPv6, Packet
from tunnels import OnLink, Outer, too_big


def datagram(vip: str, length: int, **header) -> Packet:
    """A UDP datagram of `length` bytes with its IP header."""
    if ":" in vip:
        return IPv6(src=CLIENT6, dst=vip) / UDP(sport=40000, dport=53) / (b"s" * (length - 48))
    return IP(src=CLIENT, dst=vip, **header) / UDP(sport=40000, dport=53) / (b"s" * (length - 28))


def around_the_mtu(way, mac: str, vip: str) -> list[Exchange]:
    """The largest that fits; one byte more, which is told or cut; and more than two pieces of it."""
    most = MTU - way.length
    out = [forwarded(datagram(vip, most), way.around(datagram(vip, most)), mac)]
    if ":" in vip:
        return out + [replied(datagram(vip, size), too_big(datagram(vip, size), most)) for size in (most + 1, 3000)]
    told = [datagram(vip, size, flags="DF", id=77) for size in (most + 1, 3000)]
    whole = [datagram(vip, size, id=78) for size in (most + 1, 3000)]
    return (out + [replied(packet, too_big(packet, most)) for packet in told]
            + [forwarded(packet, way.cut(packet), mac) for packet in whole])


def cut():
    """What is cut: options stand in every piece; TCP and what marks it; on-link too."""
    tunnel, onlink = Outer("ipip", TUNNEL_BACKEND), OnLink(ONLINK_BACKEND)
    options = datagram(VIP, 2000, id=79, options=[IPOption_NOP()] * 8, tos=0xb9)
    segment = IP(src=CLIENT, dst=VIP, id=80) / TCP(sport=40000, dport=80, flags="PA") / (b"s" * 3960)
    wide = IP(src=CLIENT, dst=ONLINK_VIP, id=81) / TCP(sport=40000, dport=80, flags="A") / (b"s" * 1461)
    return [forwarded(options, tunnel.cut(options)), forwarded(segment, tunnel.cut(segment)),
            forwarded(wide, onlink.cut(wide), ONLINK_MAC)]


ROWS = {cut: ("cut into pieces that fit", "IPv4", "UDP, TCP")}
CASES = {case.__name__: Case(row, STANDARD, case) for case, row in ROWS.items()}
