#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends one UDP datagram from each of many ports, so that each is a flow of its own.

    open_flows.py SOURCE FIRST_PORT COUNT DESTINATION PORT

Slowly enough for a dataplane on a shared CPU: SLICE datagrams, then a pause.
"""

import socket
import sys
import time

SLICE = 100
PAUSE_S = 0.002


def main(source: str, first_port: int, count: int, destination: str, port: int) -> None:
    for number in range(count):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.bind((source, first_port + number))
            link.sendto(b"flow", (destination, port))
        if number % SLICE == SLICE - 1:
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
