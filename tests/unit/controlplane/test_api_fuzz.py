# SPDX-License-Identifier: Apache-2.0
"""Random requests, whole and broken, against a running penstock-cp: it answers or hangs up, and goes on.

Requests are made from its own OpenAPI document and then mutated. Seconds: PENSTOCK_FUZZ_S, default 5."""

import http.client
import json
import os
import pathlib
import random
import re
import socket
import time

import pytest

from control_plane_run import NODE, SERVICE, connect_local, run_control_plane

FUZZ_S = float(os.environ.get("PENSTOCK_FUZZ_S", "5"))
SEED = int(os.environ.get("PENSTOCK_FUZZ_SEED", "20261125"))

CONFIGURATION = NODE + SERVICE
WORDS = ["", "web", "b0", "b1", "none", "%00", "%2e%2e", "..", "%zz", "\\", "ü", "0", "1", "-1", "18446744073709551616",
         "true", "x" * 300, "a/b", "{service}", "'", "\"", "%ff%fe"]
BODIES = [b"", b"{}", b'{"weight":50}', b'{"weight":1e999}', b'{"weight":50,"weight":1}', b"[" * 5000, b"\xff\xfe",
          CONFIGURATION.encode(), CONFIGURATION.replace("weight = 7", "weight = 8").encode(), b"[node", b"\0" * 100]


@pytest.fixture
def control_plane(tmp_path):
    with run_control_plane(tmp_path, CONFIGURATION) as process:
        yield process, tmp_path


def ask(folder: pathlib.Path, target: str) -> dict:
    client = http.client.HTTPConnection("penstock", timeout=30)
    client.sock = connect_local(folder)
    client.request("GET", target)
    reply = client.getresponse()
    document = json.loads(reply.read())
    client.close()
    return document


def make_request(choose: random.Random, paths: list[str]) -> bytes:
    path = re.sub(r"{[^}]*}", lambda _: choose.choice(WORDS), choose.choice(paths))
    names = ["force", "confirm", "name", "after", "limit", "wait", "offset", "before", "instance", "service", "colour"]
    query = "&".join(f"{choose.choice(names)}={choose.choice(WORDS)}" for _ in range(choose.randrange(3)))
    body = choose.choice(BODIES)
    length = choose.choice([len(body), len(body), len(body), 0, len(body) + 5, -1, 99999999])
    head = [f"{choose.choice(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', ''])} {path}{'?' + query if query else ''} HTTP/1.1",
            "Host: x", f"Content-Length: {length}"]
    if choose.random() < 0.2:
        head.append(f"If-Match: {choose.choice(WORDS)}")
    if choose.random() < 0.1:
        head.append("Transfer-Encoding: chunked")
    raw = bytearray("\r\n".join(head).encode() + b"\r\n\r\n" + body)
    if choose.random() < 0.5:
        for _ in range(choose.randrange(1, 8)):
            raw[choose.randrange(len(raw))] = choose.randrange(256)
    return bytes(raw[:choose.randrange(1, len(raw))] if choose.random() < 0.1 else raw)


def test_random_requests_harm_nothing(control_plane):
    process, folder = control_plane
    path = folder / "run" / "control.sock"
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end and process.poll() is None, (folder / "cp.log").read_text()
        time.sleep(0.05)
    choose = random.Random(SEED)
    paths = [name for name in ask(folder, "/v1/openapi.json")["paths"] if name != "/v1/events/stream"] + ["/", "/v2/x", "*"]
    answered, count = {}, 0
    end = time.monotonic() + FUZZ_S
    while time.monotonic() < end:
        count += 1
        with connect_local(folder) as connection:
            try:
                connection.sendall(make_request(choose, paths))
                connection.shutdown(socket.SHUT_WR)
                reply = b""
                while len(reply) < 1 << 20 and (part := connection.recv(65536)):
                    reply += part
            except (BrokenPipeError, ConnectionResetError):
                continue  # it had heard enough
        if reply:
            status = int(reply.split(b" ", 2)[1])
            answered[status] = answered.get(status, 0) + 1
            assert status in (100, 200, 202, 400, 403, 404, 405, 409, 412, 413, 422, 431, 503), reply[:300]
            if status >= 400 and status not in (405,) and b"\r\n\r\n{" in reply:
                assert b"application/problem+json" in reply
        assert process.poll() is None, (folder / "cp.log").read_text()[-5000:]
    status = ask(folder, "/v1/status")
    assert status["node"], status
    memory_kb = int(next(line for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
                         if line.startswith("VmRSS")).split()[1])
    print(f"{count} requests, answers {dict(sorted(answered.items()))}, {memory_kb // 1024} MB")
    assert {200, 400, 404, 405} <= set(answered), "requests that all fail alike try nothing"
    assert memory_kb < 2 << 20
