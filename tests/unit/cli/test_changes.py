# SPDX-License-Identifier: Apache-2.0
"""penstock check, apply and backend drain, enable and disable: what is sent, printed and returned."""

import json

import pytest

from control_plane import recorded, serve
from program import assert_golden, run

# A file the parser takes, and one it does not.
GOOD = """\
[node]
name = "lb-a"
[dataplane]
workers = [1]
[[dataplane.port]]
name = "edge0"
interface = "eth1"
[[service]]
name = "web"
vip = "198.51.100.10"
protocol = "tcp"
port = 80
forwarding = "ipip"
backend = [{ name = "web-1", address = "10.0.1.11" }, { name = "web-2", address = "10.0.1.12" }]
"""
BAD = GOOD.replace('vip = "198.51.100.10"', 'vpi = "198.51.100.10"')


CHANGES = [
    ("live", 200, 0, "web/web-2: drain: live, generation 8\n"),
    ("unchanged", 200, 0, "web/web-2: drain: live already, nothing changed, generation 8\n"),
    ("pending", 202, 4, "web/web-2: drain: accepted, but not live yet, generation 8: penstock-dp is away: "
     "connect to /run/penstock/dataplane.sock: no such file; the change takes effect when it is back\n"),
]


@pytest.mark.parametrize("name,status,code,text", CHANGES)
def test_changes_a_backend(name, status, code, text, socket_path):
    path = "/v1/services/web/backends/web-2/drain"
    with serve(socket_path, {("POST", path): [recorded(name, status)]}) as server:
        answer = run("backend", "drain", "web/web-2", "--socket", str(socket_path))
        as_json = run("backend", "drain", "web/web-2", "--json", "--socket", str(socket_path))
        assert [request[:3] for request in server.requests] == [("POST", path, b"")] * 2
    assert (answer.returncode, answer.stdout) == (code, text)
    assert ("takes effect when penstock-dp restarts" in answer.stderr) == (name == "live")
    assert as_json.returncode == code
    assert json.loads(as_json.stdout)["result"] == json.loads(recorded(name).body)["result"]


def test_names_are_escaped(socket_path):
    path = "/v1/services/a%20b%3F/backends/%2E%2E/enable"
    with serve(socket_path, {("POST", path): [recorded("live")]}):
        assert run("backend", "enable", "a b?/..", "--socket", str(socket_path)).returncode == 0


@pytest.mark.parametrize("name", ["web", "/web-1", "web/", "web/a/b", "/"])
def test_refuses_what_is_no_backend(name):
    answer = run("backend", "drain", name)
    assert answer.returncode == 2
    assert f"'{name}' is not SERVICE/BACKEND" in answer.stderr


def test_applies_a_file(tmp_path, socket_path):
    file = tmp_path / "a file.toml"
    file.write_text(GOOD)
    name = str(file).replace("/", "%2F").replace(" ", "%20")
    paths = [f"/v1/config/diff?name={name}", f"/v1/config?name={name}"]
    answers = {("POST", path): [recorded(document)] for path, document in zip(paths, ("plan_nothing", "live"))}
    with serve(socket_path, answers) as server:
        answer = run("apply", str(file), "--socket", str(socket_path))
        assert [request[1] for request in server.requests] == paths, "looks first, then applies"
        assert [request[2] for request in server.requests] == [GOOD.encode()] * 2
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == f"{file} (1 service, 2 backends): live, generation 8\n"
    assert "note: [dataplane] has changed: takes effect when penstock-dp restarts" in answer.stderr


def test_apply_prints_diagnostics_of_the_control_plane(socket_path):
    answers = {("POST", path): [recorded("invalid", 422)]
               for path in ("/v1/config/diff?name=%3Cstdin%3E", "/v1/config?name=%3Cstdin%3E")}
    with serve(socket_path, answers):
        answer = run("apply", "-", "--socket", str(socket_path), text=BAD)
        as_json = run("apply", "-", "--json", "--socket", str(socket_path), text=BAD)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert_golden("apply_invalid.stderr", answer.stderr)
    assert as_json.returncode == 1
    assert json.loads(as_json.stdout)["diagnostics"][0]["line"] == 14


def test_a_large_file_is_one_request(socket_path):
    text = GOOD + "# padding\n" * 300000
    path = "/v1/config?name=%3Cstdin%3E"
    with serve(socket_path, {("POST", path): [recorded("live")]}) as server:
        assert run("apply", "--force", "-", "--socket", str(socket_path), text=text).returncode == 0
        assert len(server.requests[0][2]) == len(text)
        assert "Expect" not in server.requests[0][3]


def test_check_accepts(tmp_path):
    file = tmp_path / "penstock.toml"
    file.write_text(GOOD)
    answer = run("check", str(file))
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == (
        f"{file} is valid. Node lb-a would run 1 worker on lcore 1 with port edge0 (interface eth1, AF_XDP). "
        "1 service, 2 backends: web (198.51.100.10:80/tcp, ipip, 2 backends).\n"
    )
    document = json.loads(run("check", str(file), "--json").stdout)
    assert document == {
        "ok": True, "file": str(file), "diagnostics": [],
        "summary": {"node": "lb-a", "workers": 1, "ports": 1, "services": 1, "backends": 2},
    }


def test_check_refuses_with_place_and_remedy():
    answer = run("check", "-", text=BAD)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "<stdin>:10:1: error: unknown key 'vpi'" in answer.stderr
    assert "did you mean 'vip'?" in answer.stderr
    document = json.loads(run("check", "-", "--json", text=BAD).stdout)
    assert (document["ok"], document["summary"]) == (False, None)
    first = next(entry for entry in document["diagnostics"] if entry["line"] == 10)
    assert first["file"] == "<stdin>" and first["severity"] == "error" and "vip" in first["remedy"]


def test_check_of_what_cannot_be_read(tmp_path):
    for file, words in ((tmp_path / "none.toml", "cannot read the file"), (tmp_path, "this is a directory")):
        answer = run("check", str(file))
        assert answer.returncode == 1
        assert words in answer.stderr
    answer = run("check", "-", text="#" * (9 << 20))
    assert answer.returncode == 1 and "8 MiB" in answer.stderr
    as_json = run("check", str(tmp_path), "--json")
    assert as_json.returncode == 1 and json.loads(as_json.stdout)["ok"] is False
