#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A balancer of the simplest kind: wraps each IPv4 packet to the VIP that comes in on one interface into IPIP and
sends it out of another. Usage: encapsulate.py IN OUT VIP OUTER_SOURCE OUTER_DESTINATION DESTINATION_MAC"""

import socket
import struct
import sys

PACKET_OUTGOING = 4


def checksum(header: bytes) -> int:
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def outer_header(length: int, source: bytes, destination: bytes) -> bytes:
    fields = [0x45, 0, 20 + length, 0, 0, 64, 4, 0, source, destination]
    fields[7] = checksum(struct.pack("!BBHHHBBH4s4s", *fields))
    return struct.pack("!BBHHHBBH4s4s", *fields)


def main() -> None:
    entry, exit_, vip, source, destination, mac = sys.argv[1:]
    receiver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    receiver.bind((entry, 0x0800))
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sender.bind((exit_, 0))
    own_mac = sender.getsockname()[4]
    link = bytes.fromhex(mac.replace(":", "")) + own_mac + b"\x08\x00"
    print("ready", flush=True)
    while True:
        frame, origin = receiver.recvfrom(65536)
        packet = frame[14:]
        if origin[2] == PACKET_OUTGOING or packet[16:20] != socket.inet_aton(vip):
            continue
        packet = packet[: struct.unpack("!H", packet[2:4])[0]]
        header = outer_header(len(packet), socket.inet_aton(source), socket.inet_aton(destination))
        sender.send(link + header + packet)


if __name__ == "__main__":
    main()
