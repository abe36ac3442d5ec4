# SPDX-License-Identifier: Apache-2.0
"""ICMP to a VIP: echo, errors that quote a flow (of each forwarding mode: modes.py), neighbour solicitations, the rest."""

import flow_hash
from configuration import ONLINK_VIP6, STANDARD, TUNNEL_BACKEND, TUNNEL_BACKEND6, VIP, VIP6
from exchange import CLIENT, CLIENT6, CLIENT_MAC, OUR_MAC, Case, Exchange, dropped, ether, forwarded, replied
from scapy.all import (ICMP, IP, TCP, UDP, Ether, ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA,
                       ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig,
                       ICMPv6ParamProblem, ICMPv6TimeExceeded, IPv6, Packet, Raw)
from tunnels import Outer

ROUTER, ROUTER6 = "203.0.113.9", "2001:db8:ffff::9"
ERRORS4 = (  # type 3, 11 and 12: RFC 792
    {"type": 3, "code": 1}, {"type": 3, "code": 3}, {"type": 3, "code": 4, "nexthopmtu": 1400},
    {"type": 11, "code": 0}, {"type": 11, "code": 1}, {"type": 12, "ptr": 8},
)
ERRORS6 = (ICMPv6DestUnreach(code=4), ICMPv6PacketTooBig(mtu=1400), ICMPv6TimeExceeded(code=1), ICMPv6ParamProblem(ptr=6))
QUOTES = {"tcp": (TCP, 80, 6), "udp": (UDP, 53, 17)}  # the server's side of a flow


def errors(client: str, vip: str, protocol: str, quoted_bytes: int | None = None) -> list[Packet]:
    """What routers say of a packet from the VIP to the client; whole, or of its first bytes."""
    layer4, port, _ = QUOTES[protocol]
    inside = layer4(sport=port, dport=40000) / Raw(b"answer")
    if ":" in vip:
        answered = bytes(IPv6(src=vip, dst=client, hlim=3) / inside)[:quoted_bytes]
        return [IPv6(src=ROUTER6, dst=vip) / error.copy() / Raw(answered) for error in ERRORS6]
    answered = bytes(IP(src=vip, dst=client, ttl=3) / inside)[:quoted_bytes]
    return [IP(src=ROUTER, dst=vip) / ICMP(**error) / Raw(answered) for error in ERRORS4]


def quoted_flow(client: str, vip: str, protocol: str) -> int:
    _, port, number = QUOTES[protocol]
    return flow_hash.flow_hash(client, vip, 40000, port, number)


def errors_to_backend(way, mac: str, client: str, vip: str, protocol: str) -> list[Exchange]:
    """Each error goes where the flow goes, by the flow's own way through the network; 8 bytes of layer 4 suffice
    (RFC 792)."""
    least = (40 if ":" in vip else 20) + 8
    entropy = quoted_flow(client, vip, protocol)
    return [forwarded(error, way.around(error, entropy), mac)
            for quoted in (None, least) for error in errors(client, vip, protocol, quoted)]


def icmp():
    question = IP(src=CLIENT, dst=VIP, id=9, ttl=9, tos=0x10) / ICMP(id=1, seq=2) / b"odd"
    answer = IP(src=VIP, dst=CLIENT, id=9, ttl=64, tos=0x10) / ICMP(type=0, id=1, seq=2) / b"odd"
    answered = bytes(IP(src=VIP, dst=CLIENT) / TCP(sport=80, dport=40000, flags="A"))
    syn = bytes(IP(src=CLIENT, dst=VIP) / TCP(sport=40000, dport=80, flags="S"))
    error = IP(src=ROUTER, dst=VIP) / ICMP(type=3, code=4, nexthopmtu=1400, chksum=1) / answered
    tunnel = Outer("ipip", TUNNEL_BACKEND)
    return [replied(question, answer),
            replied(IP(src=CLIENT, dst=VIP) / ICMP() / (b"x" * 1400),
                    IP(src=VIP, dst=CLIENT) / ICMP(type=0) / (b"x" * 1400)),
            forwarded(error, tunnel.around(error)),  # a wrong checksum is the server's business
            dropped("bad_icmp_error", ether() / IP(src=ROUTER, dst=VIP) / ICMP(type=3, code=1) / answered[:23]),
            dropped("bad_icmp_error", ether() / IP(src=CLIENT, dst=VIP) / ICMP(type=3, code=4) / syn),
            dropped("no_service", ether() / IP(src=ROUTER, dst=VIP) / ICMP(type=3, code=1)
                    / bytes(IP(src=VIP, dst=CLIENT) / TCP(sport=81, dport=40000))),
            dropped("unhandled_icmp", ether() / IP(src=CLIENT, dst=VIP) / ICMP(type=10)),
            dropped("unhandled_icmp", ether() / IP(src=CLIENT, dst=VIP) / ICMP(type=0)),
            dropped("bad_icmp_checksum", ether() / IP(src=CLIENT, dst=VIP) / ICMP(chksum=1)),
            dropped("bad_reply_target", ether() / IP(src="255.255.255.255", dst=VIP) / ICMP()),
            dropped("bad_reply_target", ether() / IP(src=VIP, dst=VIP) / ICMP()),
            Exchange(bytes(ether() / IP(src=CLIENT, dst="198.51.100.99") / ICMP()), "kernel")]


def icmp6():
    question = IPv6(src=CLIENT6, dst=VIP6, hlim=9) / ICMPv6EchoRequest(id=1, seq=2, data=b"odd")
    answer = IPv6(src=VIP6, dst=CLIENT6, hlim=64) / ICMPv6EchoReply(id=1, seq=2, data=b"odd")
    error = IPv6(src=ROUTER6, dst=VIP6) / ICMPv6TimeExceeded(cksum=1) / Raw(
        bytes(IPv6(src=VIP6, dst=CLIENT6) / TCP(sport=80, dport=40000)))
    tunnel = Outer("ipip", TUNNEL_BACKEND6)
    return [replied(question, answer),
            forwarded(error, tunnel.around(error, quoted_flow(CLIENT6, VIP6, "tcp"))),
            dropped("bad_icmp_error", ether() / IPv6(src=ROUTER6, dst=VIP6) / ICMPv6TimeExceeded() / Raw(b"short")),
            dropped("unhandled_icmp", ether() / IPv6(src=CLIENT6, dst=VIP6) / ICMPv6EchoReply()),
            dropped("bad_icmp_checksum", ether() / IPv6(src=CLIENT6, dst=VIP6) / ICMPv6EchoRequest(cksum=1)),
            dropped("bad_reply_target", ether() / IPv6(src="ff02::1", dst=VIP6) / ICMPv6EchoRequest()),
            Exchange(bytes(ether() / IPv6(src=CLIENT6, dst="2001:db8:100::99") / ICMPv6EchoRequest()), "kernel")]


def neighbour():
    """RFC 4861 7.2.4: from the address asked for, solicited and override set; 7.2.4 and RFC 4862 5.4.3 for a probe."""
    ask = Ether(dst="33:33:ff:00:00:10", src=CLIENT_MAC)
    asker, group = "fe80::1", "ff02::1:ff00:10"
    message = ICMPv6ND_NS(tgt=VIP6) / ICMPv6NDOptSrcLLAddr(lladdr=CLIENT_MAC)
    question = ask / IPv6(src=asker, dst=group, hlim=255) / message
    answer = (Ether(dst=CLIENT_MAC, src=OUR_MAC) / IPv6(src=VIP6, dst=asker, hlim=255)
              / ICMPv6ND_NA(tgt=VIP6, R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=OUR_MAC))
    probe = ask / IPv6(src="::", dst=group, hlim=255) / ICMPv6ND_NS(tgt=VIP6)
    conflict = (Ether(dst="33:33:00:00:00:01", src=OUR_MAC) / IPv6(src=VIP6, dst="ff02::1", hlim=255)
                / ICMPv6ND_NA(tgt=VIP6, R=0, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=OUR_MAC))
    other = ask / IPv6(src=asker, dst=group, hlim=255) / ICMPv6ND_NS(tgt="2001:db8:100::99")
    routed = ask / IPv6(src=asker, dst=group, hlim=254) / message
    wrong = ask / IPv6(src=asker, dst=group, hlim=255) / ICMPv6ND_NS(tgt=ONLINK_VIP6, cksum=1)
    return [Exchange(bytes(question), "reply", (bytes(answer),)), Exchange(bytes(probe), "reply", (bytes(conflict),)),
            Exchange(bytes(other), "kernel"), dropped("bad_neighbour_solicitation", routed),
            dropped("bad_neighbour_solicitation", wrong)]


ROWS = {
    icmp: ("echo to a VIP, errors, other ICMP", "IPv4", "ICMP"),
    icmp6: ("echo to a VIP, errors, other ICMP", "IPv6", "ICMPv6"),
    neighbour: ("neighbour discovery for a VIP and for others", "IPv6", "ICMPv6"),
}
CASES = {case.__name__: Case(row, STANDARD, case) for case, row in ROWS.items()}
