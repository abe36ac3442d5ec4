# SPDX-License-Identifier: Apache-2.0
"""Real TCP through penstock-decap, between the stacks of three network namespaces.

    client ──── balancer ════ server          ════ a tunnel towards the server, plain replies back
     10.8.0.2   10.8.0.1      10.9.0.2, VIPs on lo
                10.9.0.1
     fd00:8::2  fd00:8::1     fd00:9::2
                fd00:9::1
"""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
DECAP = HERE.parents[1] / "build" / "debug" / "tools" / "decap" / "penstock-decap"
VIP = "198.51.100.10"
VIP6 = "2001:db8:1::10"
PREFIX = "203.0.113.0/28"
PREFIX6 = "2001:db8:2::/64"
IN_PREFIX = "203.0.113.9"
IN_PREFIX6 = "2001:db8:2::9"
VIPS = (VIP, VIP6, IN_PREFIX, IN_PREFIX6)
ADDRESSES = {4: ("10.9.0.1", "10.9.0.2"), 6: ("fd00:9::1", "fd00:9::2")}
PYTHON = "/usr/bin/python3"
SIZE = 2_000_000


class Lab:
    def __init__(self) -> None:
        mark = os.getpid()
        self.client, self.balancer, self.server = (f"bpf-{role}-{mark}" for role in ("cl", "lb", "sv"))
        self.processes: list[subprocess.Popen] = []
        self.spaces: list[str] = []
        self.encapsulator: subprocess.Popen | None = None

    def run(self, space: str, *words: str, timeout_s: float = 20) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["ip", "netns", "exec", space, *words], capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def must(self, space: str, command: str) -> str:
        done = self.run(space, *command.split())
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def start(self, space: str, *words: str) -> subprocess.Popen:
        process = subprocess.Popen(
            ["ip", "netns", "exec", space, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        return process

    def join(self, left: str, left_name: str, right: str, right_name: str, mtu: int) -> None:
        link = f"ip link add {left_name} netns {left} mtu {mtu} type veth peer {right_name} netns {right} mtu {mtu}"
        subprocess.run(link.split(), check=True)
        for space, name in ((left, left_name), (right, right_name)):
            self.must(space, f"ip link set {name} up")
            # A packet that leaves the stacks' shared memory must carry its checksum and fit the MTU.
            self.must(space, f"ethtool -K {name} tx off tso off gso off gro off")

    def build(self) -> None:
        for space in (self.client, self.balancer, self.server):
            subprocess.run(["ip", "netns", "add", space], check=True)
            self.spaces.append(space)
            self.must(space, "ip link set lo up")
        self.join(self.client, "c0", self.balancer, "b0", 1500)
        self.join(self.balancer, "b1", self.server, "s0", 1560)
        for space, name, four, six in (
            (self.client, "c0", "10.8.0.2/24", "fd00:8::2/64"),
            (self.balancer, "b0", "10.8.0.1/24", "fd00:8::1/64"),
            (self.balancer, "b1", "10.9.0.1/24", "fd00:9::1/64"),
            (self.server, "s0", "10.9.0.2/24", "fd00:9::2/64"),
        ):
            self.must(space, f"ip address add {four} dev {name}")
            self.must(space, f"ip address add {six} dev {name} nodad")
        for space, four, six in ((self.client, "10.8.0.1", "fd00:8::1"), (self.server, "10.9.0.1", "fd00:9::1")):
            self.must(space, f"ip route add default via {four}")
            self.must(space, f"ip -6 route add default via {six}")
        self.must(self.balancer, "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0")
        self.must(self.balancer, "sysctl -qw net.ipv6.conf.all.forwarding=1")
        self.must(self.balancer, "sysctl -qw net.ipv4.conf.b0.rp_filter=0 net.ipv4.conf.b1.rp_filter=0")
        # Only what the encapsulator wraps may reach the server.
        for vip in VIPS:
            self.must(self.balancer, f"ip route add blackhole {vip}")
        self.must(self.server, f"ip address add {VIP}/32 dev lo")
        self.must(self.server, f"ip address add {VIP6}/128 dev lo nodad")
        self.must(self.server, f"ip route add local {PREFIX} dev lo")
        self.must(self.server, f"ip -6 route add local {PREFIX6} dev lo")
        self.start_ready(self.server, PYTHON, HERE / "web_server.py", "::", "80")
        self.wrap_into("ipip", 4)

    def start_ready(self, space: str, *words: str) -> subprocess.Popen:
        process = self.start(space, *words)
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        return process

    def wrap_into(self, mode: str, family: int) -> None:
        """Has the balancer use this tunnel from now on."""
        if self.encapsulator is not None:
            self.encapsulator.kill()
            self.encapsulator.wait()
        mac = json.loads(self.must(self.server, "ip -j link show s0"))[0]["address"]
        self.encapsulator = self.start_ready(
            self.balancer, PYTHON, HERE / "encapsulate.py", "b0", "b1", mode, *ADDRESSES[family], mac, *VIPS
        )

    def fetch(self, *words: str, timeout_s: int = 15) -> subprocess.CompletedProcess:
        return self.run(self.client, "curl", "-sS", "-m", str(timeout_s), *words, timeout_s=timeout_s + 5)

    def clean(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for space in self.spaces:
            subprocess.run(["ip", "netns", "del", space], check=True)


@pytest.fixture(scope="module")
def lab():
    assert os.geteuid() == 0, "needs root, for network namespaces and XDP"
    assert DECAP.exists(), f"{DECAP} is not built: tools/build debug"
    made = Lab()
    try:
        made.build()
        yield made
    finally:
        made.clean()


def start_decap(lab: Lab, *options: str) -> subprocess.Popen:
    process = lab.start(lab.server, DECAP, "-i", "s0", "-v", VIP, "--json", "--interval", "0.2", *options)
    line = process.stdout.readline()
    assert line, process.stderr.read()
    assert json.loads(line)["event"] == "attached"
    return process


def status(lab: Lab) -> dict:
    done = lab.run(lab.server, str(DECAP), "-i", "s0", "--status", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def stop(process: subprocess.Popen) -> tuple[dict, str]:
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=10)
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1]), errors


def test_without_decapsulator_nothing_arrives(lab):
    assert lab.fetch(f"http://{VIP}/10", timeout_s=2).returncode != 0


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_bulk_traffic_both_ways(lab, mode, tmp_path):
    body = os.urandom(SIZE)
    (tmp_path / "body").write_bytes(body)
    process = start_decap(lab, "--mode", mode)
    got = lab.fetch("--data-binary", f"@{tmp_path / 'body'}", f"http://{VIP}/")
    assert got.stdout == hashlib.sha256(body).hexdigest(), got.stderr
    got = lab.fetch(f"http://{VIP}/{SIZE}")
    assert len(got.stdout) == SIZE, got.stderr
    last, errors = stop(process)
    assert errors == ""
    assert (last["event"], last["mode"], last["vips"]) == ("detached", mode, [VIP])
    # Every byte of the upload was inside a tunnel, in packets as large as the client's MTU.
    assert last["decapsulated_bytes"] > SIZE
    assert last["decapsulated_bytes"] / last["decapsulated"] > 300
    wrong = {name: last[name] for name in ("not_a_vip", "fragment", "malformed", "dropped_ecn")}
    assert not any(wrong.values()), wrong
    assert lab.fetch(f"http://{VIP}/10", timeout_s=2).returncode != 0, "still attached"


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(("mode", "counter"), [("ipip", "ipip"), ("gre", "gre"), ("gue0", "gue"), ("gue1", "gue")])
def test_every_tunnel_to_vips_and_prefixes_of_both_families(lab, mode, counter, family):
    lab.wrap_into(mode, family)
    try:
        process = start_decap(lab, "-v", VIP6, "-v", PREFIX, "-v", PREFIX6)
        for vip in (VIP, IN_PREFIX, f"[{VIP6}]", f"[{IN_PREFIX6}]"):
            got = lab.fetch(f"http://{vip}/50000")
            assert len(got.stdout) == 50000, f"{vip}: {got.stderr}"
        last, errors = stop(process)
    finally:
        lab.wrap_into("ipip", 4)
    assert errors == ""
    assert last["decapsulated"] == last[counter] > 0
    wrong = {name: last[name] for name in ("not_a_vip", "fragment", "unsupported", "malformed", "dropped_ecn")}
    assert not any(wrong.values()), wrong


def test_a_vip_that_the_server_does_not_hold_is_named(lab):
    process = start_decap(lab, "-v", "198.51.100.99", "-v", "203.0.113.64/28", "-v", "2001:db8:77::1")
    _, errors = stop(process)
    for remedy in (
        "`ip address add 198.51.100.99/32 dev lo`",
        "`ip route add local 203.0.113.64/28 dev lo`",
        "`ip -6 address add 2001:db8:77::1/128 dev lo`",
    ):
        assert remedy in errors
    assert VIP not in errors


def test_traffic_outlives_a_killed_process(lab):
    process = start_decap(lab)
    download = lab.start(lab.client, "curl", "-sS", "--limit-rate", "400k", "-o", "/dev/null", f"http://{VIP}/{SIZE}")
    time.sleep(1)
    process.kill()
    process.communicate()
    assert lab.fetch(f"http://{VIP}/10").stdout == "x" * 10
    before = status(lab)["program_id"]
    successor = start_decap(lab)
    assert status(lab)["program_id"] != before
    assert lab.fetch(f"http://{VIP}/10").stdout == "x" * 10
    _, errors = download.communicate(timeout=30)
    assert download.returncode == 0, errors
    _, errors = stop(successor)
    assert "took the place of a decapsulator that a killed process had left attached" in errors


def test_second_is_refused_and_harms_nobody(lab):
    process = start_decap(lab)
    before = status(lab)["program_id"]
    for words in (["-v", VIP], ["--detach"]):
        second = lab.run(lab.server, str(DECAP), "-i", "s0", *words)
        assert second.returncode == 1
        assert "another penstock-decap (pid " in second.stderr and second.stderr.count("\n") == 1
    assert status(lab)["program_id"] == before
    assert lab.fetch(f"http://{VIP}/10").stdout == "x" * 10
    stop(process)


def test_detach_of_a_leftover(lab):
    process = start_decap(lab)
    process.kill()
    process.communicate()
    assert lab.run(lab.server, str(DECAP), "-i", "s0", "--detach").stdout == "penstock-decap: detached from s0\n"
    gone = lab.run(lab.server, str(DECAP), "-i", "s0", "--status")
    assert gone.returncode == 1 and "s0 has no decapsulator" in gone.stderr


def test_loss_of_the_program_is_noticed(lab):
    process = start_decap(lab)
    lab.must(lab.server, "ip link set dev s0 xdp off")
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "somebody took the decapsulator off s0" in errors


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["-i", "nope", "-v", VIP], 1, "there is no interface 'nope'"),
        (["-v", VIP], 2, "--interface is missing"),
        (["-i", "s0"], 2, "--vip is missing"),
        (["-i", "s0", "-v", "198.51.100"], 2, "--vip '198.51.100' is neither an IP address nor a prefix"),
        (["-i", "s0", "-v", "203.0.113.1/28"], 2, "--vip '203.0.113.1/28' is neither"),
        (["-i", "s0", "-v", "203.0.113.0/33"], 2, "--vip '203.0.113.0/33' is neither"),
        (["-i", "s0", "-v", "::/0"], 2, "is not a unicast address of a service"),
        (["-i", "s0", "-v", VIP, "--gue-port", "0"], 2, "--gue-port '0' is outside"),
        (["-i", "s0", "-v", VIP, "--gue-port", "65536"], 2, "--gue-port '65536' is outside"),
        (["-i", "s0", "--status", "--gue-port", "6080"], 2, "go with neither --status nor --detach"),
        (["-i", "s0", "-v", "127.0.0.1"], 2, "is not a unicast address of a service"),
        (["-i", "s0", "-v", VIP, "--mode", "fast"], 2, "--mode 'fast' is none of auto, native, generic"),
        (["-i", "s0", "-v", VIP, "--interval", "0"], 2, "--interval 0 is outside"),
        (["-i", "s0", "--status", "--detach"], 2, "exclude each other"),
        (["-i", "s0", "-v", VIP, "extra"], 2, "positional"),
        (["--no-such"], 2, "--no-such"),
    ],
)
def test_bad_command_lines(lab, words, code, message):
    done = lab.run(lab.server, str(DECAP), *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_without_root_it_says_so(lab):
    done = lab.run(lab.server, "setpriv", "--reuid", "65534", "--clear-groups", str(DECAP), "-i", "s0", "-v", VIP)
    assert done.returncode == 1
    assert "run as root" in done.stderr and done.stderr.count("\n") == 1
