# SPDX-License-Identifier: Apache-2.0
"""TCP, agent and script probes: against listeners, agents, PostgreSQL and programs that misbehave."""

import os
import pathlib
import socket
import subprocess
import tempfile
import time

import pytest
from probe_lab import TcpServer, assert_bad, assert_good, drip, free_port, hang, probe, running, say

FAST = ', timeout = "400ms"'


def tcp(address: str, port: int, prefix: tuple[str, ...] = ()):
    return probe(address, port, f'type = "tcp"{FAST}', prefix=prefix)


@pytest.mark.parametrize(("address", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_tcp_connects_and_resets(address, family):
    ends = []

    def serve(connection: socket.socket) -> None:
        try:
            ends.append(connection.recv(1))
        except ConnectionResetError:
            ends.append("reset")

    with TcpServer(serve, family) as server:
        assert_good(tcp(address, server.port), "tcp connect ok")
        deadline = time.monotonic() + 5
        while not ends and time.monotonic() < deadline:
            time.sleep(0.01)
    assert ends == ["reset"]


def test_tcp_names_what_does_not_connect():
    assert_bad(tcp("127.0.0.1", free_port()), "tcp connect refused")
    namespace = ("unshare", "--net", "sh", "-ec", 'ip link set lo up; exec "$0" "$@"')
    assert_bad(tcp("192.0.2.1", 80, namespace), "tcp connect: no route to the network")
    unreachable = (*namespace[:-1], 'ip route add unreachable 192.0.2.0/24; exec "$0" "$@"')
    assert_bad(tcp("192.0.2.1", 80, unreachable), "tcp connect: no answer from the host.*")
    dropped = "nft add table t; nft add chain t in '{ type filter hook input priority 0; policy drop; }'"
    silent = (*namespace[:-1], f'ip link set lo up; {dropped}; exec "$0" "$@"')
    found = tcp("127.0.0.1", 80, silent)
    assert_bad(found, "tcp connect timeout 400 ms")
    assert 380 < found.spent_ms < 600


def test_a_full_backlog_is_a_timeout():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        time.sleep(0.2)
        assert_bad(tcp("127.0.0.1", port), "tcp connect timeout 400 ms")
        for filler in fillers:
            filler.close()


def test_a_mark_is_put_on_the_socket():
    # Marked packets alone have a way: what is not marked finds no route.
    setup = ("ip link set lo up; ip addr add 192.0.2.1/32 dev lo; ip route flush table local; "
             "ip route add local 192.0.2.1 dev lo table 77; ip rule add fwmark 7 table 77; exec \"$0\" \"$@\"")
    namespace = ("unshare", "--net", "sh", "-ec", setup)
    assert_bad(tcp("192.0.2.1", 80, namespace), "tcp connect: no route to the network")
    # The answer to a marked SYN carries no mark: it is lost, but the SYN went out.
    found = probe("192.0.2.1", 80, f'type = "tcp"{FAST}', prefix=namespace, mark=7)
    assert_bad(found, "tcp connect (timeout 400 ms|refused)")


def agent(serve, more: str = ""):
    with TcpServer(serve) as server:
        return probe("127.0.0.1", 1, f'type = "agent", port = {server.port}{FAST}{more}')


def test_an_agent_reports_of_its_server():
    found = agent(say(b"up 75% drain # rebuilding\n", read_first=False))
    assert_good(found, "agent says up ' rebuilding'")
    assert found.report == {"weight_percent": 75, "admin": "drain"}
    assert agent(say(b"maint", read_first=False)).report["admin"] == "disabled"
    asked = []

    def serve(connection: socket.socket) -> None:
        asked.append(connection.recv(100))
        connection.sendall(b"ready 100%\r\n")

    assert_good(agent(serve, ', send = "web-1\\n"'), "agent says up")
    assert asked == [b"web-1\n"]


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (say(b"down # disk \x1b[2J full\n", read_first=False), "agent says down ' disk .*full'"),
        (say(b"101%\n", read_first=False), "agent: unknown word '101%'"),
        (say(b"\n", read_first=False), "agent: an empty line"),
        (lambda connection: connection.shutdown(socket.SHUT_WR), "agent: connection closed without a line"),
        (hang, "agent timeout 400 ms: connected, 0 bytes without a line"),
        (drip(), r"agent timeout 400 ms: connected, [1-9]\d* bytes without a line"),
        (say(b"x" * 100000, read_first=False), "agent: cut after 1024 bytes without a line"),
    ],
)
def test_an_agent_that_is_ill_or_misbehaves_is_named(serve, words):
    found = agent(serve)
    assert_bad(found, words)
    assert found.spent_ms < 600


def script(command: str, more: str = ', user = "nobody"', timeout: str = "900ms"):
    return probe("127.0.0.1", 5432, f'type = "script", timeout = "{timeout}", command = {command}{more}')


def shell(text: str, **options):
    return script(f"[\"/bin/sh\", \"-c\", '''{text}''']", **options)


def test_a_script_runs_as_its_user_with_our_environment_alone():
    body = ('[ "$(id -u) $(id -g) $(id -G)" = "65534 65534 65534" ] && [ "$PENSTOCK_ADDRESS" = 127.0.0.1 ] && '
            '[ "$PENSTOCK_PORT" = 5432 ] && [ "$PENSTOCK_VIP" = 198.51.100.10 ] && [ -z "$SECRET" ] && '
            '[ "$(ls /proc/self/fd | wc -l)" = 4 ] && [ "$(cat)" = "" ] || { id; env; exit 9; }')
    os.environ["SECRET"] = "x"
    try:
        assert_good(shell(body), "script exit 0")
    finally:
        del os.environ["SECRET"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo broken; exit 3", "script exit 3: 'broken'"),
        ("echo to stderr >&2; exit 1", "script exit 1: 'to stderr'"),
        ("kill -9 $$", "script ended by signal 9"),
        ("echo hung; sleep 60", "script timeout 900 ms: 'hung'"),
        ("while :; do echo y; done", "script cut: more than 64 KiB of output: 'y'"),
        ("printf '\\033[2Jred'; exit 1", r"script exit 1: '\?\[2Jred'"),
        ("printf '%0500d' 0; exit 1", "script exit 1: '0{80}…'"),
    ],
)
def test_a_script_that_fails_or_misbehaves_is_cut_and_named(body, words):
    found = shell(body)
    assert_bad(found, words)
    assert found.spent_ms < 1200


@pytest.fixture(scope="module")
def open_folder():
    """pytest's own directories are closed to other users."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o777)
        yield folder


def test_a_script_leaves_nothing_running(open_folder):
    pid_file = open_folder / "pid"
    # The child ignores the end of its parent and holds the pipe open.
    found = shell(f"sleep 61 & echo $! > {pid_file}; exit 0")
    assert_good(found)
    assert found.spent_ms < 800, "waited for a grandchild"
    pid = int(pid_file.read_text())
    deadline = time.monotonic() + 5
    while pathlib.Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not pathlib.Path(f"/proc/{pid}").exists()


def test_what_is_our_own_fault_says_nothing_of_the_server():
    for found in (script('["/nonexistent"]'), script('["/bin/true"]', ', user = "no-such-user"')):
        assert found.outcome == "inconclusive", found
        assert "script" in found.detail


@pytest.fixture(scope="module")
def postgres(open_folder):
    programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    data = open_folder / "data"
    data.mkdir()
    subprocess.run(["chown", "postgres", str(data)], check=True, timeout=10)
    as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]
    subprocess.run(
        [*as_user, str(programs / "initdb"), "-D", str(data), "-A", "trust", "--no-sync"],
        check=True, capture_output=True, timeout=120, cwd="/",
    )
    port = free_port()
    command = [*as_user, str(programs / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(data)]
    with running([*command, "-c", "fsync=off"], cwd="/", stderr=subprocess.DEVNULL) as process:
        yield port, programs, process


def test_a_script_asks_postgresql(postgres):
    port, programs, process = postgres
    psql = f'["{programs}/psql", "-h", "127.0.0.1", "-p", "{port}", "-U", "postgres", "-Atc", "select 1"]'
    deadline = time.monotonic() + 30
    while script(psql, timeout="2s").outcome != "good":
        assert time.monotonic() < deadline, script(psql, timeout="2s")
        time.sleep(0.2)
    wrong = psql.replace("select 1", "select * from nothing")
    assert_bad(script(wrong, timeout="2s"), "script exit 1: .*relation .nothing. does not exist.*")
    process.terminate()
    process.wait(20)
    assert_bad(script(psql, timeout="2s"), "script exit 2: .*connection to server.*failed.*")
