# SPDX-License-Identifier: Apache-2.0
"""penstock diff, apply --confirm, history, rollback, override, weight and drain --wait: what is asked, printed, returned."""

import json

import pytest

from control_plane import Answer, recorded, serve
from program import assert_golden, run, run_on_terminal
from test_changes import GOOD

DIFF = ("POST", "/v1/config/diff?name=%3Cstdin%3E")


def test_diff(socket_path):
    with serve(socket_path, {DIFF: [recorded("plan")]}):
        answer = run("diff", "-", "--socket", str(socket_path), text=GOOD)
        as_json = run("diff", "-", "--json", "--socket", str(socket_path), text=GOOD)
    assert answer.returncode == 0, answer.stderr
    assert_golden("diff.pipe", answer.stdout)
    assert json.loads(as_json.stdout)["flows_cut"] == 12
    with serve(socket_path, {DIFF: [recorded("plan_nothing")]}):
        assert run("diff", "-", "--socket", str(socket_path), text=GOOD).stdout == "<stdin>: changes nothing\n"


def test_apply_that_cuts_flows_needs_force(socket_path):
    apply = ("POST", "/v1/config?name=%3Cstdin%3E")
    with serve(socket_path, {DIFF: [recorded("plan")], apply: [recorded("live")]}) as server:
        refused = run("apply", "-", "--socket", str(socket_path), text=GOOD)
        assert [request[1] for request in server.requests] == [DIFF[1]]
        forced = run("apply", "-", "--force", "--socket", str(socket_path), text=GOOD)
        assert [request[1] for request in server.requests] == [DIFF[1], apply[1]]
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "12 live flows would be cut; nothing was changed" in refused.stderr
    assert forced.returncode == 0


def test_apply_with_confirmation(socket_path):
    apply = ("POST", "/v1/config?name=%3Cstdin%3E&confirm=60")
    with serve(socket_path, {DIFF: [recorded("plan_nothing")], apply: [recorded("live")]}):
        answer = run("apply", "--confirm", "60s", "-", "--socket", str(socket_path), text=GOOD)
    assert answer.returncode == 0, answer.stderr
    assert "on trial: penstock confirm keeps it" in answer.stderr


def test_confirm_and_roll_back(socket_path):
    answers = {("POST", path): [recorded("live")]
               for path in ("/v1/config/confirm", "/v1/config/rollback", "/v1/history/3/rollback")}
    with serve(socket_path, answers) as server:
        for words in (["confirm"], ["rollback"], ["rollback", "3"]):
            assert run(*words, "--socket", str(socket_path)).returncode == 0
        assert [request[1] for request in server.requests] == [path for _, path in answers]
    assert run("rollback", "x").returncode == 2


def test_history(socket_path):
    answers = {("GET", "/v1/history?limit=100"): [recorded("history")], ("GET", "/v1/history/2"): [Answer(GOOD.encode())]}
    with serve(socket_path, answers):
        answer = run("history", "--socket", str(socket_path))
        text = run("history", "2", "--socket", str(socket_path))
    assert_golden("history.pipe", answer.stdout)
    assert "without penstock confirm number 2 comes back in 41 s" in answer.stderr
    assert text.stdout == GOOD


def test_overrides(socket_path, tmp_path):
    answers = {
        ("GET", "/v1/overrides"): [recorded("overrides")],
        ("GET", "/v1/overrides/configuration"): [Answer(GOOD.encode())],
        ("DELETE", "/v1/overrides"): [recorded("live")],
        ("DELETE", "/v1/services/web/backends/web-1/override"): [recorded("live")],
        ("PUT", "/v1/services/web/backends/web-1/weight"): [recorded("live")],
    }
    file = tmp_path / "adopted.toml"
    with serve(socket_path, answers) as server:
        socket = ["--socket", str(socket_path)]
        listed = run("override", "list", *socket)
        assert run("override", "save", str(file), *socket).returncode == 0
        again = run("override", "save", str(file), *socket)
        assert run("override", "clear", *socket).returncode == 0
        assert run("override", "clear", "web/web-1", *socket).returncode == 0
        assert run("backend", "weight", "web/web-1", "50", *socket).returncode == 0
        assert server.requests[-1][:3] == ("PUT", "/v1/services/web/backends/web-1/weight", b'{"weight":50}')
    assert listed.stdout.splitlines()[1].split("\t")[:5] == ["web", "web-1", "10.0.1.11:80", "-", "50"]
    assert file.read_text() == GOOD
    assert again.returncode == 1 and "nothing is overwritten" in again.stderr
    assert run("backend", "weight", "web/web-1", "65536").returncode == 2


def backends(flows: int | None) -> Answer:
    one = json.loads(recorded("backends").body)["backends"][0]
    return Answer(json.dumps({"backends": [{**one, "name": "web-2", "flows": flows}]}).encode())


def test_drain_waits(socket_path):
    drain = ("POST", "/v1/services/web/backends/web-2/drain")
    look = ("GET", "/v1/backends")
    with serve(socket_path, {drain: [recorded("live")], look: [backends(9), backends(4), backends(0)]}):
        answer = run("backend", "drain", "web/web-2", "--wait", "--socket", str(socket_path))
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines() == ["web/web-2: drain: live, generation 8", "web/web-2: drained"]
    with serve(socket_path, {drain: [recorded("live")], look: [backends(9)]}):
        answer = run("backend", "drain", "web/web-2", "--wait", "--timeout", "1s", "--json", "--socket", str(socket_path))
    assert answer.returncode == 4
    last = json.loads(answer.stdout.splitlines()[-1])
    assert last["backends"] == [{"service": "web", "name": "web-2", "flows": 9}] and last["done"] is False
    with serve(socket_path, {drain: [recorded("live")], look: [backends(None)]}):
        answer = run("backend", "drain", "web/web-2", "--wait", "--socket", str(socket_path))
    assert answer.returncode == 1 and "cannot be seen" in answer.stderr


def test_several_backends_at_once(socket_path):
    paths = ["/v1/services/web/backends/web-1/maint?force=true", "/v1/services/dns/backends/dns-1/maint?force=true"]
    with serve(socket_path, {("POST", path): [recorded("live")] for path in paths}) as server:
        answer = run("backend", "maint", "web/web-1", "dns/dns-1", "--force", "--socket", str(socket_path))
        assert [request[1] for request in server.requests] == paths
    assert answer.returncode == 0


def test_watch_shows_it_again(socket_path):
    with serve(socket_path, {("GET", "/v1/backends"): [backends(9), backends(4), Answer(b"{}", 500)]}) as server:
        answer = run("backend", "list", "--watch", "100ms", "--socket", str(socket_path))
        assert len(server.requests) == 3
    assert answer.returncode == 1 and answer.stdout.count("web-2") == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(shell):
    answer = run("completion", shell)
    assert answer.returncode == 0
    assert "penstock" in answer.stdout and "drain" in answer.stdout
    assert run("completion", "cmd").returncode == 2


def test_terminal_shows_progress_of_a_drain(socket_path):
    drain = ("POST", "/v1/services/web/backends/web-2/drain")
    with serve(socket_path, {drain: [recorded("live")], ("GET", "/v1/backends"): [backends(4), backends(0)]}):
        shown = run_on_terminal("backend", "drain", "web/web-2", "--wait", "--socket", str(socket_path))
    assert "drained" in shown
