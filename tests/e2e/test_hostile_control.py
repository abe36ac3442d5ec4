# SPDX-License-Identifier: Apache-2.0
"""Hostile messages on the control socket of penstock-dp while traffic flows: refused, closed, nothing else.

    client ── router ══ br0 ══ balancer: penstock-dp ◄── penstock-cp, and this test
                         ╚═══ web-1, web-2, web-3
"""

import random
import socket
import struct
import time

import pytest
from lab.measure import RunningLoad
from lab.topology import VIP


def frame(message: bytes) -> bytes:
    """dataplane/api/framing.hpp: length as 32 bits, little-endian, then the message."""
    return struct.pack("<I", len(message)) + message


def talk(balancer, sent: bytes) -> bytes | None:
    """What the other end said before it closed the connection; None if it left it open."""
    said = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10.0)
        connection.connect(str(balancer.runtime / "dataplane.sock"))
        try:
            connection.sendall(sent)
            while part := connection.recv(65536):
                said += part
        except (ConnectionResetError, BrokenPipeError):
            return said
        except TimeoutError:
            return None
    return said


# dataplane/api/dataplane.proto: ClientMessage{hello{version = 999, instance_id, program = "x"}}, well-formed.
HELLO_OF_ANOTHER_VERSION = b"\x0a\x0f" + b"\x08\xe7\x07" + b"\x11" + b"instance" + b"\x1a\x01x"
HOSTILE = {
    "too long": struct.pack("<I", 0xFFFFFFFF) + b"x" * 64,
    "above the limit by one": struct.pack("<I", (16 << 20) + 1),
    "not protobuf": frame(b"\xff" * 300),
    "empty message": frame(b""),
    "text": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "another version": frame(HELLO_OF_ANOTHER_VERSION),
}


@pytest.fixture(scope="module")
def load(lab, balancer):
    running = RunningLoad(lab, VIP, rate=100)
    time.sleep(0.5)
    return running


@pytest.mark.parametrize("what", sorted(HOSTILE))
def test_refused_and_closed(balancer, load, what):
    assert talk(balancer, HOSTILE[what]) is not None, f"{what}: the connection must be closed"
    assert balancer.dataplane.is_running()


def test_another_version_is_refused_as_such(balancer, load):
    """Not as malformed: who runs two versions must read that."""
    said = talk(balancer, frame(HELLO_OF_ANOTHER_VERSION))
    assert said is not None
    assert b"version" in said and b"999" in said, said


def test_random_bytes_are_refused(balancer, load):
    numbers = random.Random(20)
    for _ in range(50):
        message = numbers.randbytes(numbers.randrange(1, 400))
        assert talk(balancer, frame(message)) is not None
    assert balancer.dataplane.is_running()


def test_half_a_message_harms_nobody(balancer, load):
    held = []
    for _ in range(20):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(5.0)
        connection.connect(str(balancer.runtime / "dataplane.sock"))
        held.append(connection)
        try:
            connection.sendall(struct.pack("<I", 1000) + b"\x0a")
        except BrokenPipeError:
            continue  # refused at once: as good
    time.sleep(1.0)
    for connection in held:
        connection.close()
    balancer.wait_in_step()


def test_forwarding_was_untouched(lab, balancer, load):
    made = load.finish()
    assert not made.failures(), made.failure_kinds()
    status = balancer.cli_json("status")
    assert status["dataplane"]["state"] == "connected"
    assert status["generation"]["live"] == status["generation"]["desired"]
    # And a change still goes through.
    assert balancer.cli_json("backend", "drain", "web/web-1")["result"] == "live"
    assert balancer.cli_json("backend", "enable", "web/web-1")["result"] == "live"
