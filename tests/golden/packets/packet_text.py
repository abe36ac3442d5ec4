# SPDX-License-Identifier: Apache-2.0
"""A frame as a person can read it: every header a line, with the fields that decide something.

Names of ports and hosts are never looked up: the same frame is the same text on every machine.
"""

import struct

from scapy.all import ARP, GRE, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, conf
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, _ICMPv6

conf.noenum.add(TCP.sport, TCP.dport, UDP.sport, UDP.dport)
FORMATS = (
    (Ether, lambda h: f"{h.src} > {h.dst}"),
    (Dot1AD, lambda h: f"802.1ad vlan {h.vlan} priority {h.prio}"),
    (Dot1Q, lambda h: f"802.1Q vlan {h.vlan} priority {h.prio}"),
    (ARP, lambda h: f"ARP op {h.op} {h.psrc} ({h.hwsrc}) asks {h.pdst} ({h.hwdst})"),
    (IP, lambda h: f"IPv4 {h.src} > {h.dst} protocol {h.proto} ttl {h.ttl} tos {h.tos:#04x} id {h.id}"
                   f" flags {str(h.flags) or '-'} offset {h.frag * 8} length {h.len}"
                   + (f" options {len(h.options)}" if h.options else "")),
    (IPv6, lambda h: f"IPv6 {h.src} > {h.dst} next {h.nh} hops {h.hlim} class {h.tc:#04x} length {h.plen}"),
    (IPv6ExtHdrFragment, lambda h: f"fragment id {h.id} offset {h.offset * 8} more {h.m} next {h.nh}"),
    (TCP, lambda h: f"TCP {h.sport} > {h.dport} {h.flags} seq {h.seq} options {h.options}"),
    (UDP, lambda h: f"UDP {h.sport} > {h.dport} length {h.len}"),
    (ICMP, lambda h: f"ICMP type {h.type} code {h.code}"),
    (_ICMPv6, lambda h: f"ICMPv6 type {h.type} code {h.code}"),
    (GRE, lambda h: f"GRE protocol {h.proto:#06x}"),
)
KNOWN = tuple(kind for kind, _ in FORMATS)


def header_text(header) -> str:
    return next(text(header) for kind, text in FORMATS if isinstance(header, kind))


def frame_text(frame: bytes) -> str:
    """What scapy cannot take apart ends as so many bytes."""
    try:
        packet = Ether(frame)
    except struct.error:  # cut inside the first header
        return f"{len(frame)} bytes"
    parts = []
    while packet:
        if not isinstance(packet, KNOWN):
            parts.append(f"{len(packet.original)} bytes")
            break
        parts.append(header_text(packet))
        packet = packet.payload
    return "\n         ".join(parts) + f"   [{len(frame)} bytes in all]"


def exchange_text(number: int, exchange) -> str:
    lines = [f"{number:4} {exchange.verdict}", f"     in  {frame_text(exchange.sent)}"]
    if exchange.expected is not None:
        lines.append(f"     out {frame_text(exchange.expected)}")
    return "\n".join(lines) + "\n"


def case_text(title: str, exchanges) -> str:
    return f"{title}\n\n" + "".join(exchange_text(number, one) for number, one in enumerate(exchanges, 1))
