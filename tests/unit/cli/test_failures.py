# SPDX-License-Identifier: Apache-2.0
"""How penstock fails: exit code, cause and remedy; never silently, never for long."""

import json
import re
import socket
import subprocess

import pytest

from control_plane import Answer, recorded, serve
from program import LIMIT_S, PROGRAM, environment, run


def test_prints_the_control_planes_refusal(socket_path):
    with serve(socket_path, {("GET", "/v1/services/wbe"): [recorded("not_found", 404)]}):
        answer = run("service", "show", "wbe", "--socket", str(socket_path))
        as_json = run("service", "show", "wbe", "--json", "--socket", str(socket_path))
    assert answer.returncode == 1
    assert answer.stderr == "penstock: error: there is no service 'wbe'\n  help: did you mean 'web'?\n"
    assert json.loads(as_json.stdout)["type"] == "urn:penstock:problem:not-found"


WRONG_REPLIES = {
    "no JSON": (b"<html>", 200, "is not JSON"),
    "no JSON, refused": (b"<html>", 500, "HTTP status 500"),
    "another document": (b'{"drops":{}}', 200, "cannot read the control plane's reply"),
    "no object": (b"[1,2]", 200, "cannot read the control plane's reply"),
    "wrong types": (b'{"total":-1,"drops":[3]}', 200, "'total' is not a whole number"),
    "nothing": (b"", 200, "is not JSON"),
    "very deep": (b"[" * 100000, 200, "is not JSON"),
}


@pytest.mark.parametrize("name", WRONG_REPLIES)
def test_survives_wrong_replies(name, socket_path):
    body, status, words = WRONG_REPLIES[name]
    with serve(socket_path, {("GET", "/v1/drops"): [Answer(body, status)]}):
        answer = run("drops", "--socket", str(socket_path))
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert words in answer.stderr and "  help: " in answer.stderr


def test_gives_up_on_a_reply_without_end(socket_path):
    with serve(socket_path, {("GET", "/v1/drops"): [Answer(b" " * (65 << 20))]}):
        answer = run("drops", "--socket", str(socket_path))
    assert answer.returncode == 1
    assert "longer than 64 MiB" in answer.stderr


def test_no_control_plane(socket_path):
    answer = run("status", "--socket", str(socket_path))
    assert answer.returncode == 3
    assert answer.stderr == (
        f"penstock: error: cannot reach the control plane at {socket_path}: no such file\n"
        "  help: is penstock-cp running? systemctl status penstock-cp. Another socket: --socket PATH\n"
    )
    as_json = run("status", "--json", "--socket", str(socket_path))
    assert as_json.returncode == 3
    assert json.loads(as_json.stdout)["type"] == "urn:penstock:cli:unreachable"


def test_nobody_listens(socket_path):
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(socket_path))
    answer = run("status", "--socket", str(socket_path))
    assert answer.returncode == 3
    assert "nobody listens on the socket" in answer.stderr


def test_socket_path_too_long():
    answer = run("status", "--socket", "/" + "x" * 200)
    assert answer.returncode == 3
    assert "at most 107 characters" in answer.stderr


def test_times_out(socket_path):
    with serve(socket_path, {("GET", "/v1/status"): [recorded("status_well", delay_s=LIMIT_S)]}):
        answer = run("status", "--timeout", "0.3", "--socket", str(socket_path))
    assert answer.returncode == 4
    assert "within 0.3 s" in answer.stderr and "--timeout SECONDS" in answer.stderr


def test_connection_ends_before_the_reply(socket_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path))
        listener.listen()
        with subprocess.Popen(
            [PROGRAM, "status", "--socket", str(socket_path)], stderr=subprocess.PIPE, text=True, env=environment()
        ) as process:
            connection, _ = listener.accept()
            connection.recv(4096)
            connection.close()
            _, error = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 3
    assert "the connection ended before the reply" in error


def test_proxies_are_not_asked(socket_path):
    with serve(socket_path, {("GET", "/v1/drops"): [recorded("drops")]}):
        proxy = "http://127.0.0.1:1"
        assert run("drops", "--socket", str(socket_path), http_proxy=proxy, ALL_PROXY=proxy).returncode == 0


def test_usage_errors_are_2_and_say_where_help_is():
    for arguments in ([], ["staus"], ["status", "--jsno"], ["check"], ["stats", "--count", "2"]):
        answer = run(*arguments)
        assert (answer.returncode, answer.stdout) == (2, ""), arguments
        assert "  help: " in answer.stderr
    assert json.loads(run("staus", "--json").stdout)["type"] == "urn:penstock:cli:usage"


def test_help_is_on_standard_output():
    for arguments in (["--help"], ["help"], ["backend", "--help"], ["backend", "drain", "-h"], ["help", "check"]):
        answer = run(*arguments)
        assert (answer.returncode, answer.stderr) == (0, ""), arguments
        assert "usage: penstock " in answer.stdout
    assert re.fullmatch(r"penstock \d+\.\d+\.\d+\n", run("--version").stdout)
    assert run("help", "chekc").returncode == 2


def test_full_disk_is_a_failure():
    with open("/dev/full", "w", encoding="utf-8") as full:
        answer = subprocess.run(
            [PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False
        )
    assert answer.returncode == 1
    assert "cannot write the output: No space left on device" in answer.stderr
