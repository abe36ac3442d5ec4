# SPDX-License-Identifier: Apache-2.0
"""A frame as a person can read it: every header a line, with the fields that decide something.

Names of ports and hosts are never looked up: the same frame is the same text on every machine.
"""

import struct

from scapy.all import ARP, GRE, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, conf
from scapy.layers.inet6 import (ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, IPv6,
                                 IPv6ExtHdrFragment, _ICMPv6)

conf.noenum.add(TCP.sport, TCP.dport, UDP.sport, UDP.dport)
FORMATS = (
    (Ether, lambda h: f"{h.src} > {h.dst}"),
    (Dot1AD, lambda h: f"802.1ad vlan {h.vlan} priority {h.prio}"),
    (Dot1Q, lambda h: f"802.1Q vlan {h.vlan} priority {h.prio}"),
    (ARP, lambda h: f"ARP op {h.op} {h.psrc} ({h.hwsrc}) asks {h.pdst} ({h.hwdst})"),
    (IP, lambda h: f"IPv4 {h.src} > {h.dst} protocol {h.proto} ttl {h.ttl} tos {h.tos:#04x} id {h.id}"
                   f" flags {str(h.flags) or '-'} offset {h.frag * 8} length {h.len}"
                   + (f" options {len(h.options)}" if h.options else "")),
    (IPv6, lambda h: f"IPv6 {h.src} > {h.dst} next {h.nh} hops {h.hlim} class {h.tc:#04x} label {h.fl:#07x}"
                     f" length {h.plen}"),
    (IPv6ExtHdrFragment, lambda h: f"fragment id {h.id} offset {h.offset * 8} more {h.m} next {h.nh}"),
    (TCP, lambda h: f"TCP {h.sport} > {h.dport} {h.flags} seq {h.seq} options {h.options}"),
    (UDP, lambda h: f"UDP {h.sport} > {h.dport} length {h.len}" + ("" if h.chksum else " without checksum")),
    (ICMP, lambda h: f"ICMP type {h.type} code {h.code}" + (f" mtu {h.nexthopmtu}" if (h.type, h.code) == (3, 4) else "")),
    (ICMPv6PacketTooBig, lambda h: f"ICMPv6 type {h.type} code {h.code} mtu {h.mtu}"),
    (_ICMPv6, lambda h: f"ICMPv6 type {h.type} code {h.code}"),
    ((ICMPv6NDOptSrcLLAddr, ICMPv6NDOptDstLLAddr), lambda h: f"option {h.type} {h.lladdr}"),
    (GRE, lambda h: f"GRE protocol {h.proto:#06x}"),
)
GUE_PORT = 6080
IP_KINDS = {4: IP, 6: IPv6, 41: IPv6}  # of a version, or of a protocol number


def header_text(header) -> str | None:
    return next((text(header) for kind, text in FORMATS if isinstance(header, kind)), None)


def gue_text(payload: bytes) -> tuple[str, object]:
    """What stands in a GUE packet: variant 0 has a header of 4 bytes here, variant 1 none."""
    if payload[0] >> 6 == 0:
        return f"GUE variant 0 protocol {payload[1]}", IP_KINDS[payload[1]](payload[4:])
    return "GUE variant 1", IP_KINDS[payload[0] >> 4](payload)


def frame_text(frame: bytes) -> str:
    """What scapy cannot take apart ends as so many bytes."""
    try:
        packet = Ether(frame)
    except struct.error:  # cut inside the first header
        return f"{len(frame)} bytes"
    parts = []
    while packet:
        text = header_text(packet)
        parts.append(text or f"{len(packet.original)} bytes")
        if text is None:
            break
        is_gue = isinstance(packet, UDP) and packet.dport == GUE_PORT and packet.payload
        packet = packet.payload
        if is_gue:
            text, packet = gue_text(bytes(packet))
            parts.append(text)
    return "\n         ".join(parts) + f"   [{len(frame)} bytes in all]"


def exchange_text(number: int, exchange) -> str:
    held = " (held back until a later packet)" if exchange.waits else ""
    lines = [f"{number:4} {exchange.verdict}{held}", f"     in  {frame_text(exchange.sent)}"]
    lines += [f"     out {frame_text(frame)}" for frame in exchange.expected]
    return "\n".join(lines) + "\n"


def case_text(title: str, exchanges) -> str:
    return f"{title}\n\n" + "".join(exchange_text(number, one) for number, one in enumerate(exchanges, 1))
