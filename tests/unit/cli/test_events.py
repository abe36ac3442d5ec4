# SPDX-License-Identifier: Apache-2.0
"""penstock events, page by page and following over a restart of the control plane."""

import json
import signal
import subprocess

from control_plane import Answer, recorded, serve, wait_for
from program import LIMIT_S, PROGRAM, assert_golden, environment, run, run_on_terminal

EVENTS = {
    ("GET", "/v1/events?after=0&wait=0"): [recorded("events_first")],
    ("GET", "/v1/events?after=2&wait=0&instance=5f0c3a9be1d24477"): [recorded("events_second")],
    ("GET", "/v1/events?after=3&wait=0&instance=5f0c3a9be1d24477"): [recorded("events_none")],
}


def test_events_page_by_page(socket_path):
    with serve(socket_path, EVENTS):
        answer = run("events", "--socket", str(socket_path))
        last = run("events", "--last", "1", "--json", "--socket", str(socket_path))
        assert_golden("events.terminal", run_on_terminal("events", "--socket", str(socket_path)))
    assert answer.returncode == 0
    assert_golden("events.pipe", answer.stdout)
    assert "4 events were dropped from the log" in answer.stderr
    assert [json.loads(line)["sequence"] for line in last.stdout.splitlines()] == [3]


def test_events_follow_over_a_restart(socket_path):
    following = {
        ("GET", "/v1/events?after=0&wait=0"): [recorded("events_first")],
        ("GET", "/v1/events?after=2&wait=0&instance=5f0c3a9be1d24477"): [
            Answer(recorded("events_none").body.replace(b'"newest":3', b'"newest":2'))],
        ("GET", "/v1/events?after=2&wait=25&instance=5f0c3a9be1d24477"): [recorded("events_second")],
        ("GET", "/v1/events?after=3&wait=25&instance=5f0c3a9be1d24477"): [Answer(b"", delay_s=LIMIT_S)],
    }
    other = b"a new instance"
    restarted = recorded("events_second").body.replace(b"no backend takes flows", other).replace(
        b"5f0c3a9be1d24477", b"0123456789abcdef")
    after_restart = {
        ("GET", "/v1/events?after=3&wait=25&instance=5f0c3a9be1d24477"): [Answer(restarted)],
        ("GET", "/v1/events?after=3&wait=25&instance=0123456789abcdef"): [Answer(b"", delay_s=LIMIT_S)],
    }
    with serve(socket_path, following):
        process = subprocess.Popen(
            [PROGRAM, "events", "--follow", "--json", "--socket", str(socket_path)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        )
        try:
            lines = [json.loads(process.stdout.readline())["sequence"] for _ in range(3)]
        except BaseException:
            process.kill()
            raise
    try:
        assert lines == [1, 2, 3]
        with serve(socket_path, after_restart) as server:
            assert other.decode() in process.stdout.readline()
            wait_for(lambda: len(server.requests) >= 2)
            process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT_S) == -signal.SIGINT
            notes = process.stderr.read()
        assert "waiting for it to return" in notes and "the control plane is back" in notes
    finally:
        process.kill()
        process.wait()
