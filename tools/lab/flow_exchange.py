#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends frames into an interface and tells which come back as outgoing traffic of the program behind it.

    flow_exchange.py INTERFACE FRAMES.json

FRAMES.json is a list of pairs: a hexadecimal frame, and whether one should come back. That says only how long to wait;
what comes is taken, whatever was expected. Printed is a JSON list of the frames that were received, in hexadecimal.
Bounded: SLICE frames at a time, and no longer than LIMIT_S in all.
"""

import json
import pathlib
import socket
import sys
import time

SLICE = 100
QUIET_S = 0.2  # nothing more comes
LIMIT_S = 120.0
RCVBUFFORCE = 33
PACKET_OUTGOING = 4
ETH_P_ALL = 3


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
    pairs = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    end = time.monotonic() + LIMIT_S
    received: list[bytes] = []
    # Of no protocol until it is bound: it would take the other interfaces' packets, too.
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as link:
        link.setsockopt(socket.SOL_SOCKET, RCVBUFFORCE, 64 << 20)
        link.bind((interface, ETH_P_ALL))
        for begin in range(0, len(pairs), SLICE):
            some = pairs[begin : begin + SLICE]
            for text, _ in some:
                link.send(bytes.fromhex(text))
            received += receive(link, sum(1 for _, expected in some if expected), end)
        received += receive(link, len(pairs), end)  # what nobody expected, or was late
    json.dump([frame.hex() for frame in received], sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
