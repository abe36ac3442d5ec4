#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A load generator: HTTP requests, each on a new connection, from several client addresses.

Runs in the client's namespace until it made --requests or got SIGTERM. One line a request on the output file:
start, end (nanoseconds of the wall clock, which events carry too), and the backend's name or the failure.
"""

import argparse
import asyncio
import errno
import itertools
import signal
import socket
import time

IP_BIND_ADDRESS_NO_PORT = 24


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vip", required=True)
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--sources", required=True, help="client addresses, with commas")
    parser.add_argument("--requests", type=int, default=0, help="0: until SIGTERM")
    parser.add_argument("--parallel", type=int, default=16)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second at most; 0: as fast as replies come")
    parser.add_argument("--limit", type=float, default=5.0, help="seconds that a request may take")
    parser.add_argument("--output", required=True)
    return parser.parse_args()


class Load:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self._target = (arguments.vip, arguments.port)
        self._request = f"GET / HTTP/1.1\r\nHost: {arguments.vip}\r\nConnection: close\r\n\r\n".encode()
        self._sources = itertools.cycle(arguments.sources.split(","))
        self._limit_s = arguments.limit
        self._remaining = arguments.requests or None
        self._interval_s = 1.0 / arguments.rate if arguments.rate else 0.0
        self._next_start = time.monotonic()
        self._stopping = False
        self._output = open(arguments.output, "w", buffering=1 << 16)

    def stop(self) -> None:
        """No further request begins; those under way end."""
        self._stopping = True

    def close(self) -> None:
        self._output.close()

    async def worker(self) -> None:
        while self._take():
            await self._pace()
            start = time.time_ns()
            try:
                said = await asyncio.wait_for(self._once(), self._limit_s)
            except asyncio.TimeoutError:
                said = "!timeout"
            except OSError as error:
                said = f"!{errno.errorcode.get(error.errno, type(error).__name__)}"
            self._output.write(f"{start} {time.time_ns()} {said}\n")

    def _take(self) -> bool:
        if self._stopping or self._remaining == 0:
            return False
        if self._remaining is not None:
            self._remaining -= 1
        return True

    async def _pace(self) -> None:
        if self._interval_s == 0.0:
            return
        wait_s = self._next_start - time.monotonic()
        # After a stall the missed ones are not made up for in one burst.
        self._next_start = max(self._next_start, time.monotonic() - 0.1) + self._interval_s
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    async def _once(self) -> str:
        """The name that the backend answered; a word that begins with ! for a reply that is not one."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # The port is chosen at connect(): two connections to different targets may share one.
            connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            connection.bind((next(self._sources), 0))
            await loop.sock_connect(connection, self._target)
            await loop.sock_sendall(connection, self._request)
            reply = b""
            while part := await loop.sock_recv(connection, 4096):
                reply += part
        return parse_reply(reply)


def parse_reply(reply: bytes) -> str:
    head, separator, body = reply.partition(b"\r\n\r\n")
    if not separator:
        return "!cut-short" if reply else "!closed-without-reply"
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"]:
        return f"!status-{status[0].decode(errors='replace') if status else '?'}"
    length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), None)
    if length is None or int(length.split(b":")[1]) != len(body):
        return "!cut-short"
    return body.decode().strip()


async def main() -> None:
    arguments = parse_arguments()
    load = Load(arguments)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, load.stop)
    try:
        await asyncio.gather(*(load.worker() for _ in range(arguments.parallel)))
    finally:
        load.close()


if __name__ == "__main__":
    asyncio.run(main())
