#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A balancer of the simplest kind: wraps each packet to one of the VIPs that comes in on one interface into a tunnel
and sends it out of another. Usage:
encapsulate.py IN OUT MODE OUTER_SOURCE OUTER_DESTINATION DESTINATION_MAC VIP…   MODE: ipip, gre, gue0 or gue1"""

import ipaddress
import socket
import struct
import sys

PACKET_OUTGOING = 4
ETHER_IP = {4: 0x0800, 6: 0x86DD}
PROTOCOL_IP = {4: 4, 6: 41}
GUE_PORT = 6080
LONGEST_FRAME = 65536


def checksum(header: bytes) -> int:
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def outer_header(length: int, protocol: int, source: bytes, destination: bytes) -> bytes:
    if len(source) == 16:
        return struct.pack("!IHBB16s16s", 6 << 28, length, protocol, 64, source, destination)
    fields = [0x45, 0, 20 + length, 0, 0, 64, protocol, 0, source, destination]
    fields[7] = checksum(struct.pack("!BBHHHBBH4s4s", *fields))
    return struct.pack("!BBHHHBBH4s4s", *fields)


def wrap(mode: str, version: int, packet: bytes) -> tuple[int, bytes]:
    """The outer header's protocol, and what follows it."""
    if mode == "ipip":
        return PROTOCOL_IP[version], packet
    if mode == "gre":
        return 47, struct.pack("!HH", 0, ETHER_IP[version]) + packet
    if mode == "gue0":
        packet = struct.pack("!BBH", 0, PROTOCOL_IP[version], 0) + packet
    return 17, struct.pack("!HHHH", 40000, GUE_PORT, 8 + len(packet), 0) + packet


def destination_of(packet: bytes) -> bytes:
    return packet[16:20] if packet[0] >> 4 == 4 else packet[24:40]


def without_padding(packet: bytes) -> bytes:
    length = struct.unpack("!H", packet[2:4])[0] if packet[0] >> 4 == 4 else 40 + struct.unpack("!H", packet[4:6])[0]
    return packet[:length]


def main() -> None:
    entry, exit_, mode, source, destination, mac, *vips = sys.argv[1:]
    source, destination = (ipaddress.ip_address(text).packed for text in (source, destination))
    taken = {ipaddress.ip_address(vip).packed for vip in vips}
    receiver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # every protocol
    receiver.bind((entry, 3))
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sender.bind((exit_, 0))
    ether_type = ETHER_IP[4 if len(source) == 4 else 6]
    link = bytes.fromhex(mac.replace(":", "")) + sender.getsockname()[4] + struct.pack("!H", ether_type)
    print("ready", flush=True)
    while True:
        frame, origin = receiver.recvfrom(LONGEST_FRAME)
        if origin[2] == PACKET_OUTGOING or frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
            continue
        packet = without_padding(frame[14:])
        if destination_of(packet) in taken:
            protocol, payload = wrap(mode, packet[0] >> 4, packet)
            sender.send(link + outer_header(len(payload), protocol, source, destination) + payload)


if __name__ == "__main__":
    main()
