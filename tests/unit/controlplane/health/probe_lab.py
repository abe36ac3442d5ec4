# SPDX-License-Identifier: Apache-2.0
"""What the tests of probes need: one probe as penstock-cp makes it, real servers, and servers that misbehave.

Everything listens on loopback, on ports that were free, and ends with its context."""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[4]
PROBE = os.environ.get("PENSTOCK_PROBE_ONCE", str(ROOT / "build/debug/tests/unit/controlplane/probe-once"))
READY_S = 20


@dataclasses.dataclass(frozen=True)
class Found:
    outcome: str
    detail: str
    spent_ms: float
    report: dict | None


def probe(address: str, port: int, table: str, prefix: tuple[str, ...] = (), mark: int = 0) -> Found:
    """`table` is the probe's table without its braces."""
    command = [*prefix, PROBE, address, str(port), "{ " + table + " }", str(mark)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return Found(**json.loads(ran.stdout))


def assert_bad(found: Found, words: str) -> None:
    assert found.outcome == "bad", found
    assert re.fullmatch(words, found.detail), found


def assert_good(found: Found, words: str = ".*") -> None:
    assert found.outcome == "good", found
    assert re.fullmatch(words, found.detail), found


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_port(port: int, address: str = "127.0.0.1") -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"nothing listens on {address}:{port}"
            time.sleep(0.05)


@contextlib.contextmanager
def running(command: list[str], **options):
    """A process of ours, and its group with it at the end."""
    process = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


class TcpServer:
    """Answers every connection on loopback by `serve(socket)`, in a thread each, until it is closed."""

    def __init__(self, serve, family: int = socket.AF_INET):
        self._serve = serve
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self._listener.listen(16)
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection, contextlib.suppress(OSError):
            self._serve(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


def hang(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def close_at_once(connection: socket.socket) -> None:
    connection.recv(1)


def drip(begin: bytes = b"", more: bytes = b"x"):
    """`begin`, then `more` again and again, ten times a second."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(begin)
        for _ in range(100):
            time.sleep(0.1)
            connection.sendall(more)

    return serve


def say(text: bytes, read_first: bool = True):
    def serve(connection: socket.socket) -> None:
        if read_first:
            connection.recv(4096)
        connection.sendall(text)

    return serve


def flood(begin: bytes, size: int):
    """`begin` and then `size` bytes, as fast as they are read."""

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(begin)
        chunk = b"x" * 65536
        sent = 0
        while sent < size:
            connection.sendall(chunk)
            sent += len(chunk)

    return serve


class UdpServer:
    """Answers each datagram on loopback by the datagrams of `answer(datagram)`."""

    def __init__(self, answer):
        self._answer = answer
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port = self._socket.getsockname()[1]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(OSError):
                datagram, peer = self._socket.recvfrom(65536)
                for answer in self._answer(datagram):
                    self._socket.sendto(answer, peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join(5)
        self._socket.close()
