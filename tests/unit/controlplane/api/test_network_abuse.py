# SPDX-License-Identifier: Apache-2.0
"""What strangers on the network do to the API: they are cut, and nobody else notices."""

import collections
import contextlib
import socket
import time

from network_lab import wait_for


def plain(lab, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", lab.port), timeout=30, source_address=(source, 0))


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(65536) == b""
    except ConnectionResetError:
        return True


def test_plain_http_is_told_so(lab):
    with lab.running(), plain(lab) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"speaks TLS" in client.makefile("rb").read()


def test_garbage_is_cut(lab):
    with lab.running():
        for garbage in (b"\0" * 4096, b"\xff" * 100, bytes(range(256)) * 64, b"\x16\x03\x01\xff\xff" + b"x" * 70000):
            with plain(lab) as client, contextlib.suppress(ConnectionError):
                client.sendall(garbage)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
        assert lab.ask("GET", "/v1/status", certificate="bob").status == 200


def test_the_slow_are_cut_and_hold_up_nobody(lab):
    with lab.running():
        begin = time.monotonic()
        silent, half = plain(lab), plain(lab)
        half.sendall(b"\x16\x03\x01\x02\x00\x01")  # a record that never comes whole
        head = lab.connect("bob")
        head.sendall(b"GET /v1/status HT")
        body = lab.connect("bob")
        body.sendall(b"POST /v1/config/diff HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")
        slowest = 0.0
        for _ in range(20):
            asked = time.monotonic()
            assert lab.ask("GET", "/v1/status", certificate="bob").status == 200
            slowest = max(slowest, time.monotonic() - asked)
        assert slowest < 5, slowest
        for connection in (silent, half, head, body):
            with connection:
                connection.settimeout(40)
                assert is_closed(connection)
        assert 9 < time.monotonic() - begin < 40
        wait_for(lambda: lab.status()["api"]["connections"] == 0)


def test_a_stranger_sends_no_body(lab):
    token = lab.token("ci", "viewer")
    with lab.running():
        with lab.connect() as client:
            client.sendall(b"POST /v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\nExpect: 100-continue\r\n\r\n")
            assert client.makefile("rb").readline().startswith(b"HTTP/1.1 401")
        # One who sends it anyway gets the answer, not a reset.
        assert lab.ask("POST", "/v1/config", b"x" * 500000).status == 401
        assert lab.ask("POST", "/v1/explain", b"x" * (9 << 20), token=token).status == 413


def test_a_client_has_its_share_of_connections(lab):
    with lab.running(), contextlib.ExitStack() as open_ones:
        crowd = [open_ones.enter_context(plain(lab)) for _ in range(40)]
        wait_for(lambda: lab.status()["api"]["connections"] == 16)
        crowd[-1].settimeout(5)
        assert is_closed(crowd[-1])
        assert lab.ask("GET", "/v1/status", certificate="bob", source="127.0.0.2").status == 200


def test_ten_thousand_connections(lab):
    with lab.running():
        begin = time.monotonic()
        slowest = 0.0
        open_ones = collections.deque()
        for number in range(10000):
            open_ones.append(plain(lab, f"127.0.1.{number % 200 + 1}"))
            if number % 7 == 0:
                with contextlib.suppress(ConnectionError):
                    open_ones[-1].sendall(b"\x16\x03\x01")
            if len(open_ones) > 500:
                open_ones.popleft().close()
            if number % 500 == 0:
                asked = time.monotonic()
                status = lab.status()
                slowest = max(slowest, time.monotonic() - asked)
                assert status["api"]["connections"] <= 64
        for connection in open_ones:
            connection.close()
        assert slowest < 5, slowest
        print(f"10,000 connections in {time.monotonic() - begin:.1f} s, the slowest status {slowest:.3f} s")
        wait_for(lambda: lab.status()["api"]["connections"] == 0)
        assert lab.ask("GET", "/v1/status", certificate="bob").status == 200


def test_only_the_allowed_may_connect(lab):
    with lab.running(lab.configuration().replace("rate = 1000", 'allow = ["127.0.0.2", "10.0.0.0/8"]')):
        assert lab.ask("GET", "/v1/status", certificate="bob", source="127.0.0.2").status == 200
        with plain(lab) as client:
            assert is_closed(client)
