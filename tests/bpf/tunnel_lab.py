# SPDX-License-Identifier: Apache-2.0
"""Three network namespaces for real stacks: a client, a balancer that wraps what goes to the VIPs, a server.

    client ──── balancer ════ server          ════ a tunnel towards the server, plain replies back
     10.8.0.2   10.8.0.1      10.9.0.2, VIPs on lo
                10.9.0.1
     fd00:8::2  fd00:8::1     fd00:9::2
                fd00:9::1
"""

import collections.abc
import contextlib
import json
import os
import pathlib
import signal
import subprocess

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
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            ["ip", "netns", "exec", space, *map(str, words)], stdin=pipe, stdout=pipe, stderr=pipe, text=True
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


def start_decap(lab: Lab, *options: str) -> subprocess.Popen:
    process = lab.start(lab.server, DECAP, "-i", "s0", "-v", VIP, "--json", "--interval", "0.2", *options)
    line = process.stdout.readline()
    assert line, process.stderr.read()
    assert json.loads(line)["event"] == "attached"
    return process


@contextlib.contextmanager
def decapsulator(lab: Lab, *options: str) -> collections.abc.Iterator[subprocess.Popen]:
    """One that is gone afterwards, also if what it was for failed."""
    process = start_decap(lab, *options)
    try:
        yield process
    finally:
        if process.poll() is None:
            stop(process)


def stop(process: subprocess.Popen) -> tuple[dict, str]:
    """Ends a decapsulator; its last counters and what it said on stderr."""
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=10)
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1]), errors
