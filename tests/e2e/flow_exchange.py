#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends frames into an interface and tells which come back as outgoing traffic of the program behind it.

    flow_exchange.py INTERFACE FRAMES.json

FRAMES.json is a list of hexadecimal frames. Printed is a JSON list of the frames that were received, in hexadecimal.
Bounded: SLICE frames at a time, and no longer than LIMIT_S in all.
"""

import json
import pathlib
import socket
import sys
import time

SLICE = 100
QUIET_S = 0.1  # nothing more comes of a slice
LIMIT_S = 120.0
RCVBUFFORCE = 33
PACKET_OUTGOING = 4


def receive(link: socket.socket, expected: int, end: float) -> list[bytes]:
    """Until `expected` frames have come, or it is quiet."""
    frames: list[bytes] = []
    link.settimeout(QUIET_S)
    while len(frames) < expected and time.monotonic() < end:
        try:
            frame, address = link.recvfrom(65536)
        except TimeoutError:
            break
        if address[2] != PACKET_OUTGOING:
            frames.append(frame)
    return frames


def main(interface: str, path: str) -> None:
    frames = [bytes.fromhex(text) for text in json.loads(pathlib.Path(path).read_text(encoding="utf-8"))]
    end = time.monotonic() + LIMIT_S
    received: list[bytes] = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003)) as link:
        link.setsockopt(socket.SOL_SOCKET, RCVBUFFORCE, 64 << 20)
        link.bind((interface, 0))
        for begin in range(0, len(frames), SLICE):
            some = frames[begin : begin + SLICE]
            for frame in some:
                link.send(frame)
            received += receive(link, len(some), end)
    json.dump([frame.hex() for frame in received], sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
