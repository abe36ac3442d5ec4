# SPDX-License-Identifier: Apache-2.0
"""Packets around the MTU: told to the client, or cut before they go into the tunnel. Of every mode: modes.py."""

from configuration import (NEIGHBOURS, ONLINK_BACKEND, ONLINK_VIP, STANDARD, TUNNEL_BACKEND, TUNNEL_BACKEND6, VIP, VIP6,
                           Configuration, head, service)
from exchange import CLIENT, CLIENT6, MTU, ONLINK_MAC, ROUTER_MAC, Case, Exchange, forwarded, replied
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


JUMBO_MTU = 4000
JUMBO = Configuration("jumbo", (
    head(NEIGHBOURS, mtu=JUMBO_MTU)
    + service("dns", VIP, "udp", 53, "ipip", TUNNEL_BACKEND) + service("dns6", VIP6, "udp", 53, "gre", TUNNEL_BACKEND6)
    + service("onlink", ONLINK_VIP, "udp", 53, "l2dsr", ONLINK_BACKEND)))


def jumbo():
    """More than one buffer of penstock-dp holds, forwarded whole and told."""
    ways = ((Outer("ipip", TUNNEL_BACKEND), ROUTER_MAC, VIP), (Outer("gre", TUNNEL_BACKEND6), ROUTER_MAC, VIP6),
            (OnLink(ONLINK_BACKEND), ONLINK_MAC, ONLINK_VIP))
    out = []
    for way, mac, vip in ways:
        hard = {} if vip == VIP6 else {"flags": "DF"}
        for length in (2100, JUMBO_MTU - way.length):
            out.append(forwarded(datagram(vip, length, **hard), way.around(datagram(vip, length, **hard)), mac))
        if way.length:
            wide = datagram(vip, JUMBO_MTU - way.length + 1, **hard)
            out.append(replied(wide, too_big(wide, JUMBO_MTU - way.length)))
    return out


CASES = {"cut": Case(("cut into pieces that fit", "IPv4", "UDP, TCP"), STANDARD, cut),
         "jumbo": Case(("jumbo frames", "IPv4, IPv6", "UDP"), JUMBO, jumbo)}
