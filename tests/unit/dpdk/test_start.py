#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""penstock-dp starts, refuses to start and ends as docs/reference/penstock-dp.md says: the real program, in a
network namespace of its own. Needs root. PENSTOCK_DP names another build of the program than build/debug."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = os.environ.get("PENSTOCK_DP", str(ROOT / "build" / "debug" / "dataplane" / "penstock-dp"))
READY_S = 30  # a build with sanitizers on a busy machine takes seconds
NAMESPACE = f"dp-start-{os.getpid()}"

BASE = """
[node]
name = "lb-a"
[dataplane]
workers = [{workers}]
{dataplane}
[[dataplane.port]]
name = "edge0"
{port}
[[service]]
name = "web"
vip = "198.51.100.10"
protocol = "tcp"
port = 80
forwarding = "ipip"
backend = [{{ name = "web-1", address = "10.0.1.11" }}]
"""


def ip(*arguments):
    subprocess.run(["ip", "-n", NAMESPACE, *arguments], check=True, capture_output=True, timeout=20)


@pytest.fixture(scope="module", autouse=True)
def namespace():
    assert os.geteuid() == 0, "these tests make a network namespace: run them as root"
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True, timeout=20)
    try:
        ip("link", "set", "lo", "up")
        ip("link", "add", "edge0", "type", "veth", "peer", "name", "far0")
        ip("link", "set", "edge0", "up")
        ip("link", "set", "far0", "up")
        ip("link", "add", "down0", "type", "veth", "peer", "name", "far1")
        ip("link", "add", "wide0", "numrxqueues", "2", "numtxqueues", "2", "type", "veth", "peer", "name", "far2")
        ip("link", "set", "wide0", "up")
        yield
    finally:
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=True, timeout=20)


class Bench:
    """Folders for one test, and the processes it started."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.runtime = folder / "run"
        self.state = folder / "state"
        self.state.mkdir()
        self.started = []

    def configure(self, port='interface = "edge0"', workers="0", dataplane='hugepages = "off"', name="penstock.toml"):
        path = self.folder / name
        path.write_text(BASE.format(port=port, workers=workers, dataplane=dataplane))
        return path

    def command(self, config, *flags, runtime=None, before=()):
        return ["ip", "netns", "exec", NAMESPACE, *before, PROGRAM, "--config", str(config),
                "--state-dir", str(self.state), "--runtime-dir", str(runtime or self.runtime), *flags]

    def refuse(self, config, *flags, **kind):
        """Runs it to its end, which must be a failure to start; returns the one line that says why."""
        done = subprocess.run(self.command(config, *flags, **kind), capture_output=True, text=True, timeout=READY_S)
        assert done.returncode == 1, done.stderr
        lines = [line for line in done.stderr.splitlines() if line.startswith("penstock-dp: ")]
        assert len(lines) == 1, done.stderr
        assert done.stderr.splitlines()[-1] == lines[0], done.stderr
        assert "EAL:" not in done.stderr.replace(lines[0], ""), done.stderr
        if kind.get("runtime") is None:
            assert not self.runtime.exists(), "something was left behind"
        return lines[0]

    def start(self, config, *flags, runtime=None, env=None):
        log = open(self.folder / f"log-{len(self.started)}", "w+")
        process = subprocess.Popen(self.command(config, *flags, runtime=runtime), stderr=log, env=env)
        process.log = log
        self.started.append(process)
        end = time.monotonic() + READY_S
        while " ready" not in self.log_of(process):
            assert process.poll() is None, self.log_of(process)
            assert time.monotonic() < end, self.log_of(process)
            time.sleep(0.02)
        return process

    def log_of(self, process):
        return pathlib.Path(process.log.name).read_text()

    def stop(self, process, by=signal.SIGTERM):
        process.send_signal(by)
        begin = time.monotonic()
        code = process.wait(timeout=READY_S)
        return code, time.monotonic() - begin

    def close(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait(timeout=READY_S)
            process.log.close()


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()


def xdp_program(interface):
    shown = subprocess.run(["ip", "-n", NAMESPACE, "-json", "link", "show", "dev", interface],
                           check=True, capture_output=True, text=True, timeout=20)
    return json.loads(shown.stdout)[0].get("xdp", {}).get("prog", {}).get("id")


# ---- Usage


@pytest.mark.parametrize("flags", [["--no-such-flag"], ["--log-level", "loud"], ["--runtime-dir", "relative"], ["extra"]])
def test_a_bad_flag_is_refused_with_2(flags):
    done = subprocess.run([PROGRAM, *flags], capture_output=True, text=True, timeout=READY_S)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("penstock-dp: "), done.stderr


def test_help_and_version():
    shown = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, timeout=READY_S)
    assert shown.returncode == 0 and "Examples:" in shown.stdout and "--runtime-dir" in shown.stdout
    shown = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, timeout=READY_S)
    assert shown.returncode == 0 and re.fullmatch(r"penstock-dp \d+\.\d+\.\d+\n", shown.stdout)


# ---- Refused


def test_a_broken_configuration_is_shown_with_its_place(bench):
    config = bench.configure(port='interfce = "edge0"')
    done = subprocess.run(bench.command(config), capture_output=True, text=True, timeout=READY_S)
    assert done.returncode == 1
    assert re.search(rf"^{re.escape(str(config))}:\d+:\d+: error: ", done.stderr, re.MULTILINE), done.stderr
    assert not bench.runtime.exists()


REFUSED = {
    "cpu_missing": (dict(workers="1023"), r"penstock\.toml:5:12: worker 0 is CPU 1023, which this host does not have"),
    "main_core_missing": (dict(dataplane='hugepages = "off"\nmain_core = 1022'), r"penstock\.toml:7:13: main_core is CPU 1022"),
    "interface_missing": (dict(port='interface = "eth9"'), r"penstock\.toml:9:13: there is no interface eth9; .*lo"),
    "interface_down": (dict(port='interface = "down0"'), r"interface down0 is down; ip link set dev down0 up"),
    "interface_not_ethernet": (dict(port='interface = "lo"'), r"lo is not an Ethernet interface"),
    "queue_without_worker": (dict(port='interface = "wide0"'), r"2 receive queues for 1 workers.*ethtool -L wide0 rx 1 tx 1"),
    "mtu_above_the_interface": (dict(port='interface = "edge0"\nmtu = 9000'), r"mtu = 9000, but interface edge0 has 1500"),
    "memory_too_small": (dict(dataplane='hugepages = "off"\nmemory_mb = 64\nflows_per_worker = 80530636'),
                         r"penstock\.toml:7:13: \[dataplane\] memory_mb = 64 is too small.*at least \d+"),
    "hugepages_not_free": (dict(dataplane='hugepages = "on"\nmemory_mb = 1048576'),
                           r"penstock\.toml:6:13: \[dataplane\] hugepages = \"on\", but \d+ MB.*vm\.nr_hugepages=524288"),
    "device_unknown": (dict(port='device = "net_foo0"'), r"DPDK cannot open net_foo0: "),
    "device_without_its_file": (dict(port='device = "net_pcap0,rx_pcap=/nonexistent.pcap,tx_pcap=/dev/null"'),
                                r"DPDK cannot open net_pcap0.*nonexistent\.pcap"),
    "exception_path_is_there": (dict(port='device = "net_null0"\nexception = "edge0"'),
                                r"penstock\.toml:10:13: there is an interface edge0 already"),
    "pci_missing": (dict(port='device = "0000:ff:1f.7"'), r"there is no PCI device 0000:ff:1f\.7; dpdk-devbind"),
    "eal_argument_unknown": (dict(dataplane='hugepages = "off"\neal_args = ["--no-such-argument"]'), r"DPDK: did not start: "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line_that_says_how_to_mend_it(bench, case):
    settings, expected = REFUSED[case]
    line = bench.refuse(bench.configure(**settings))
    assert re.search(expected, line), line
    assert xdp_program("edge0") is None


def test_no_root(bench):
    bench.folder.chmod(0o755)
    unprivileged = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = subprocess.run(bench.command(bench.configure(), before=unprivileged), capture_output=True, text=True,
                          timeout=READY_S)
    assert done.returncode == 1, done.stderr
    # Where the test's own folder is closed to others, the configuration is what cannot be read.
    assert re.search(r"missing: cap_net_admin.*sudo|Permission denied", done.stderr), done.stderr


def test_a_cpu_outside_of_the_affinity(bench):
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.fail("needs two CPUs to forbid one")
    line = bench.refuse(bench.configure(workers=str(cpus[-1])), before=["taskset", "-c", str(cpus[0])])
    assert "which this process may not use" in line, line


def test_a_second_instance_leaves_the_first_alone(bench):
    first = bench.start(bench.configure())
    program = xdp_program("edge0")
    assert program is not None
    line = bench.refuse(bench.configure(name="second.toml"), runtime=bench.folder / "run2")
    assert re.search(rf"interface edge0 is in use by another penstock-dp \(process {first.pid}\)", line), line
    assert not (bench.folder / "run2").exists()
    line = bench.refuse(bench.configure(port='device = "net_ring0"', name="third.toml"), runtime=bench.runtime)
    assert "another penstock-dp runs with this runtime folder" in line, line
    assert xdp_program("edge0") == program
    assert sorted(path.name for path in bench.runtime.iterdir()) == ["dataplane.sock", "dataplane.stats", "dpdk"]


# ---- Ended


def test_sigterm_ends_within_a_second_and_leaves_nothing(bench):
    # The promise is of the program: the leak check of a sanitizer, after its end, is not part of it.
    process = bench.start(bench.configure(), env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    code, seconds = bench.stop(process)
    assert code == 0, bench.log_of(process)
    assert seconds < 1, seconds
    assert not bench.runtime.exists()
    assert xdp_program("edge0") is None


def test_after_a_kill_the_next_start_works(bench):
    config = bench.configure()
    bench.stop(bench.start(config), by=signal.SIGKILL)
    assert xdp_program("edge0") is not None  # nobody was there to detach it
    process = bench.start(config)
    assert "detached the steering" in bench.log_of(process)
    assert bench.stop(process)[0] == 0
    assert xdp_program("edge0") is None


# ---- Started


def test_the_last_applied_configuration_is_what_runs(bench):
    applied = bench.configure(port='device = "net_ring0"')
    (bench.state / "applied.toml").write_text(applied.read_text())
    process = bench.start(bench.configure(name="other.toml"))
    log = bench.log_of(process)
    assert f"configuration {bench.state}/applied.toml (last applied; " in log, log
    assert "net_ring0" in log and xdp_program("edge0") is None


def test_systemd_is_told(bench):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        path = str(bench.folder / "notify")
        notify.bind(path)
        notify.settimeout(READY_S)
        process = bench.start(bench.configure(), env={**os.environ, "NOTIFY_SOCKET": path})
        assert notify.recv(64) == b"READY=1"
        bench.stop(process)
        assert notify.recv(64) == b"STOPPING=1"


def test_json_log_is_json(bench):
    process = subprocess.Popen(bench.command(bench.configure(), "--json-log"), stderr=subprocess.PIPE, text=True)
    bench_lines = []
    for line in process.stderr:
        bench_lines.append(json.loads(line))
        if bench_lines[-1]["message"] == "ready":
            process.terminate()
    process.stderr.close()
    assert process.wait(timeout=READY_S) == 0
    assert all(line["program"] == "penstock-dp" and line["level"] for line in bench_lines)
