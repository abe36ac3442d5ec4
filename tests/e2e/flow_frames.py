# SPDX-License-Identifier: Apache-2.0
"""The frame of a flow's packet, checksums included, without scapy: twenty thousand of them are made in a test."""

import dataclasses
import functools
import ipaddress
import struct

OUR_MAC, CLIENT_MAC = bytes.fromhex("0200000000aa"), bytes.fromhex("020000000001")
ETHERTYPE = {4: 0x0800, 6: 0x86DD}
TCP, UDP = 6, 17
SYN, ACK = 2, 16
ETHERNET_BYTES, IPV4_BYTES, IPV6_BYTES = 14, 20, 40


@functools.cache
def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@dataclasses.dataclass(frozen=True)
class Flow:
    """Its packets carry `number`: in TCP as sequence number, in UDP as payload. So no two frames are alike, also
    without their ports."""

    number: int
    protocol: str
    source: tuple[str, int]
    destination: tuple[str, int]
    syn: bool

    def key(self) -> tuple:
        return (self.protocol, self.source, self.destination)

    def line(self) -> str:
        """As penstock explain --list takes it."""
        ends = " ".join(f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
                        for address, port in (self.source, self.destination))
        return f"{self.protocol} {ends}{' syn' if self.syn else ''}"

    def frame(self) -> bytes:
        source, destination = packed(self.source[0]), packed(self.destination[0])
        segment = self._segment(source + destination)
        if len(source) == 4:
            protocol = TCP if self.protocol == "tcp" else UDP
            header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, IPV4_BYTES + len(segment), 1, 0, 64, protocol, 0, source,
                                 destination)
            header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
            return OUR_MAC + CLIENT_MAC + struct.pack("!H", ETHERTYPE[4]) + header + segment
        protocol = TCP if self.protocol == "tcp" else UDP
        header = struct.pack("!IHBB16s16s", 6 << 28, len(segment), protocol, 64, source, destination)
        return OUR_MAC + CLIENT_MAC + struct.pack("!H", ETHERTYPE[6]) + header + segment

    def _segment(self, addresses: bytes) -> bytes:
        ports = struct.pack("!HH", self.source[1], self.destination[1])
        if self.protocol == "tcp":
            flags = SYN if self.syn else ACK
            segment, at, protocol = ports + struct.pack("!IIBBHHH", self.number, 0, 5 << 4, flags, 8192, 0, 0), 16, TCP
        else:
            segment, at, protocol = ports + struct.pack("!HHI", 12, 0, self.number), 6, UDP
        # The pseudo-header's sum does not depend on the family's own order of fields.
        found = checksum(addresses + struct.pack("!HH", protocol, len(segment)) + segment)
        return segment[:at] + struct.pack("!H", found or 0xFFFF) + segment[at + 2 :]


def without_nat_port(frame: bytes) -> bytes:
    """The frame with source port and transport checksum 0."""
    (ethertype,) = struct.unpack_from("!H", frame, 12)
    is_ipv4 = ethertype == ETHERTYPE[4]
    protocol = frame[ETHERNET_BYTES + (9 if is_ipv4 else 6)]
    begin = ETHERNET_BYTES + (IPV4_BYTES if is_ipv4 else IPV6_BYTES)
    masked = bytearray(frame)
    masked[begin : begin + 2] = bytes(2)
    at = begin + (16 if protocol == TCP else 6)
    masked[at : at + 2] = bytes(2)
    return bytes(masked)
