# SPDX-License-Identifier: Apache-2.0
"""What penstock prints of the documents of the API: in a pipe, on a terminal, as JSON."""

import json

import pytest

from control_plane import recorded, serve
from program import assert_golden, run, run_on_terminal

GETS = {
    "status_well": ("/v1/status", ["status"]),
    "status_ill": ("/v1/status", ["status"]),
    "status_new": ("/v1/status", ["status"]),
    "services": ("/v1/services", ["service", "list"]),
    "service": ("/v1/services/web", ["service", "show", "web"]),
    "backends": ("/v1/backends", ["backend", "list"]),
    "stats": ("/v1/stats", ["stats"]),
    "drops": ("/v1/drops", ["drops"]),
    "no_drops": ("/v1/drops", ["drops"]),
}


@pytest.mark.parametrize("name", GETS)
def test_prints_documents(name, socket_path):
    path, command = GETS[name]
    with serve(socket_path, {("GET", path): [recorded(name)]}):
        piped = run(*command, "--socket", str(socket_path))
        assert (piped.returncode, piped.stderr) == (0, "")
        assert_golden(f"{name}.pipe", piped.stdout)
        assert_golden(f"{name}.terminal", run_on_terminal(*command, "--socket", str(socket_path)))
        assert "\x1b" not in run_on_terminal(*command, "--socket", str(socket_path), NO_COLOR="1")


@pytest.mark.parametrize("name", GETS)
def test_json_is_the_document(name, socket_path):
    path, command = GETS[name]
    document = recorded(name)
    with serve(socket_path, {("GET", path): [document]}):
        answer = run(*command, "--json", PENSTOCK_SOCKET=str(socket_path))
    assert answer.returncode == 0
    assert answer.stdout.count("\n") == 1
    assert json.loads(answer.stdout) == json.loads(document.body)


def test_no_header_and_all(socket_path):
    with serve(socket_path, {("GET", "/v1/drops"): [recorded("drops")]}):
        answer = run("drops", "--no-header", "--all", "--socket", str(socket_path))
    lines = [line.split("\t") for line in answer.stdout.splitlines()]
    assert [(line[0], line[1]) for line in lines] == [
        ("no_backend", "70.0 k"), ("no_service", "3"), ("truncated_ethernet", "0")]


def test_runtime_dir_names_the_socket(socket_path):
    folder = socket_path.with_suffix(".d")
    folder.mkdir()
    try:
        with serve(folder / "control.sock", {("GET", "/v1/drops"): [recorded("no_drops")]}):
            assert run("drops", "--runtime-dir", str(folder)).returncode == 0
    finally:
        folder.rmdir()


def test_rates_between_two_readings(socket_path):
    answers = {("GET", "/v1/stats"): [recorded("stats"), recorded("stats_later")]}
    with serve(socket_path, answers):
        answer = run("stats", "--interval", "0.05", "--count", "1", "--socket", str(socket_path))
    assert answer.returncode == 0, answer.stderr
    assert_golden("stats_rates.pipe", answer.stdout)
    with serve(socket_path, answers):
        answer = run("stats", "--interval", "0.05", "--count", "2", "--json", "--socket", str(socket_path))
    assert [json.loads(line)["time"][17:19] for line in answer.stdout.splitlines()] == ["22", "22"]
