# SPDX-License-Identifier: Apache-2.0
"""Outer headers, from RFC 2003, 2473, 4213, 2784, 7676 and draft-ietf-intarea-gue-09; as Linux FOU reads them."""

import dataclasses
import ipaddress

import flow_hash
from exchange import MTU, TUNNEL_SOURCE, TUNNEL_SOURCE6, built
from scapy.all import GRE, ICMP, IP, TCP, UDP, ICMPv6PacketTooBig, IPv6, IPv6ExtHdrFragment, Packet, Raw

GUE_PORT = 6080
PROTOCOLS = {4: 4, 6: 41}  # of an inner family: RFC 2003 3.1, RFC 4213 3.5
ETHERTYPES = {4: 0x0800, 6: 0x86DD}


def family(packet: Packet) -> int:
    return 4 if isinstance(packet, IP) else 6


def hash_of(inner: Packet) -> int:
    """Of the flow, or of the datagram if this is a later fragment of it."""
    protocol = inner.proto if isinstance(inner, IP) else inner.nh
    if isinstance(inner, IP) and inner.frag:
        return flow_hash.datagram_hash(inner.src, inner.dst, inner.id, protocol)
    fragment = inner.getlayer(IPv6ExtHdrFragment)
    if fragment is not None and fragment.offset:
        return flow_hash.datagram_hash(inner.src, inner.dst, fragment.id, 0)
    for kind, number in ((TCP, 6), (UDP, 17)):
        if kind in inner:
            return flow_hash.flow_hash(inner.src, inner.dst, inner[kind].sport, inner[kind].dport, number)
    return flow_hash.flow_hash(inner.src, inner.dst, 0, 0, protocol)


@dataclasses.dataclass(frozen=True)
class Outer:
    """A tunnel: `kind` is ipip, gre, gue0 or gue1, `backend` the address of its other end; `source` an address, or a prefix
    whose host bits are the flow's hash (docs/reference/configuration.md)."""

    kind: str
    backend: str
    source: str = ""

    @property
    def over(self) -> int:
        return 6 if ":" in self.backend else 4

    @property
    def length(self) -> int:
        return (20 if self.over == 4 else 40) + {"ipip": 0, "gre": 4, "gue0": 12, "gue1": 8}[self.kind]

    def shim(self, inner: Packet, entropy: int) -> Packet:
        """What stands between the outer IP header and `inner`."""
        payload = Raw(bytes(inner))
        if self.kind == "ipip":
            return payload
        if self.kind == "gre":
            return GRE(proto=ETHERTYPES[family(inner)]) / payload
        if self.kind == "gue0":  # version 0, no control, header length 0, protocol, no flags
            payload = Raw(bytes([0, PROTOCOLS[family(inner)], 0, 0]) + bytes(inner))
        # No checksum over IPv4 (RFC 768); over IPv6 there must be one (RFC 8200 8.1).
        return UDP(sport=flow_hash.entropy_port(entropy), dport=GUE_PORT,
                   chksum=0 if self.over == 4 else None) / payload

    def source_of(self, entropy: int) -> str:
        source = ipaddress.ip_network(self.source or (TUNNEL_SOURCE if self.over == 4 else TUNNEL_SOURCE6))
        spread = entropy >> 20 if self.over == 4 else entropy & ((1 << 64) - 1)
        return str(source.network_address + (spread & (source.num_addresses - 1)))

    def around(self, inner: Packet, entropy: int | None = None) -> Packet:
        """TTL 64; DF whatever the inner packet has, so that no identification is needed (RFC 6864 4.1); DSCP and ECN
        copied (RFC 6040 4.1, normal mode); the flow label is the flow's (RFC 6438)."""
        inner = built(inner)
        value = hash_of(inner) if entropy is None else entropy
        marks = inner.tos if isinstance(inner, IP) else inner.tc
        protocol = {"ipip": PROTOCOLS[family(inner)], "gre": 47}.get(self.kind, 17)
        if self.over == 4:
            ip = IP(src=self.source_of(value), dst=self.backend, ttl=64, proto=protocol, tos=marks, id=0, flags="DF")
        else:
            ip = IPv6(src=self.source_of(value), dst=self.backend, hlim=64, nh=protocol, tc=marks,
                      fl=flow_hash.flow_label(value))
        return ip / self.shim(inner, value)

    def cut(self, inner: Packet, mtu: int = MTU) -> list[Packet]:
        """The pieces of a packet that may be fragmented, each in a tunnel of its own."""
        inner = built(inner)
        return [self.around(piece, hash_of(inner)) for piece in pieces(inner, mtu - self.length)]


@dataclasses.dataclass(frozen=True)
class OnLink:
    """l2dsr: the packet stays as it came."""

    backend: str
    length: int = 0

    def around(self, inner: Packet, _entropy: int | None = None) -> Packet:
        return inner

    def cut(self, inner: Packet, mtu: int = MTU) -> list[Packet]:
        return pieces(built(inner), mtu)


def pieces(packet: IP, mtu: int) -> list[IP]:
    """RFC 791 3.2. Options are repeated in every piece (docs/design/sizes.md)."""
    header, data = packet.ihl * 4, bytes(packet)[packet.ihl * 4:packet.len]
    step = (mtu - header) // 8 * 8
    out = []
    for at in range(0, len(data), step):
        last = at + step >= len(data) and "MF" not in packet.flags
        piece = packet.copy()
        piece.remove_payload()
        piece.flags, piece.frag = 0 if last else "MF", packet.frag + at // 8
        piece.len, piece.chksum = None, None
        out.append(piece / Raw(data[at:at + step]))
    return out


def too_big(packet: Packet, mtu: int, quoted: int = 1 << 16) -> Packet:
    """What the client is told, from the VIP: RFC 1191 4 with at most 576 bytes (RFC 1812 4.3.2.3), RFC 4443 3.2 with at
    most 1280. `quoted`: bytes of the packet that there are."""
    packet = built(packet)
    if isinstance(packet, IP):
        return (IP(src=packet.dst, dst=packet.src, id=0, flags="DF", ttl=64)
                / ICMP(type=3, code=4, nexthopmtu=mtu) / bytes(packet)[:min(quoted, 576 - 28)])
    return (IPv6(src=packet.dst, dst=packet.src, hlim=64, nh=58)
            / ICMPv6PacketTooBig(mtu=mtu) / Raw(bytes(packet)[:min(quoted, 1280 - 48)]))
