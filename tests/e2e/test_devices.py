# SPDX-License-Identifier: Apache-2.0
"""Ports by DPDK's own drivers, in a namespace of their own: frames of several segments, in by one port and out by
another, two links as one, flows over two workers. No kernel knows the backends: their MAC addresses are configured.

    frames ─► device ─► worker ─► device ─► frames      penstock-cp ─► penstock-dp
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import pytest
from lab.daemons import PROGRAMS, ROOT, SANITIZERS, Api
from lab.namespaces import Namespace
from lab.processes import Process, wait_until
from scapy.all import IP, UDP, Ether, RawPcapReader, RawPcapWriter

FLAVOUR = os.environ.get("PENSTOCK_FLAVOUR", "debug")
VIP = "198.51.100.10"
BACKEND_MAC = "02:00:00:00:01:11"

CONFIGURATION = """
[node]
name = "lb-a"
[dataplane]
workers = {workers}
hugepages = "off"
flows_per_worker = 4096
tunnel_source = "10.0.1.1"
{dataplane}
{ports}
[[dataplane.neighbour]]
address = "10.0.1.11"
mac = "{mac}"
port = "{way_out}"
[[service]]
name = "web"
vip = "{vip}"
protocol = "udp"
port = 53
forwarding = "ipip"
probe = {{ type = "none" }}
backend = [{{ name = "web-1", address = "10.0.1.11" }}]
"""


class Node:
    """Both daemons in a namespace; ends with the test."""

    def __init__(self, folder: pathlib.Path, namespace: Namespace, **settings) -> None:
        self.folder, self.namespace = folder, namespace
        settings = {"workers": [max(os.sched_getaffinity(0))], "dataplane": "", "way_out": "edge0", **settings}
        (folder / "penstock.toml").write_text(CONFIGURATION.format(vip=VIP, mac=BACKEND_MAC, **settings))
        (folder / "state").mkdir()
        self.processes: list[Process] = []
        self.api = Api(folder / "run" / "control.sock")

    def start(self, name: str, ready: str) -> Process:
        command = [str(ROOT / "build" / FLAVOUR / PROGRAMS[name]), "--config", str(self.folder / "penstock.toml"),
                   "--runtime-dir", str(self.folder / "run"), "--state-dir", str(self.folder / "state")]
        process = Process(name, self.namespace, command, self.folder / f"{name}.log", SANITIZERS)
        self.processes.append(process)
        wait_until(f"{name} is ready", lambda: (self.folder / "run" / ready).exists(), 30.0, process=process)
        return process

    def configure(self) -> None:
        """Until the VIP is live."""
        self.start("penstock-cp", "control.sock")
        wait_until("the generation is live", self._is_live, 30.0)

    def _is_live(self) -> bool:
        generation = self.api.get("/v1/status")["generation"]
        return generation["live"] is not None and generation["live"] == generation["desired"]

    def workers(self) -> list[dict]:
        return self.api.get("/v1/stats")["workers"]

    def totals(self) -> dict:
        return self.api.get("/v1/stats")["totals"]

    def drops(self) -> dict[str, int]:
        return {drop["reason"]: drop["packets"] for drop in self.api.get("/v1/drops")["drops"] if drop["packets"]}

    def wait_received(self, packets: int) -> dict:
        wait_until(f"{packets} packets came", lambda: self.totals()["rx_packets"] >= packets, 20.0)
        return self.totals()

    def end(self) -> None:
        for process in reversed(self.processes):
            process.signal(signal.SIGTERM)
        for process in reversed(self.processes):
            with contextlib.suppress(Exception):
                process.wait(10.0)
            process.kill()
        reports = [process.sanitizer_report() for process in self.processes]
        assert not any(reports), "\n".join(reports)


@pytest.fixture
def make_node(tmp_path):
    namespace = Namespace(str(os.getpid()), "devices")
    nodes: list[Node] = []

    def make(**settings) -> Node:
        nodes.append(Node(tmp_path, namespace, **settings))
        nodes[-1].start("penstock-dp", "dataplane.sock")
        return nodes[-1]

    try:
        yield make
    finally:
        try:
            for node in nodes:
                node.end()
        finally:
            namespace.remove()


def question(source_port: int, payload: int = 40) -> bytes:
    """To the VIP; `payload` bytes of UDP data."""
    data = bytes(i % 251 for i in range(payload))
    return bytes(Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02")
                 / IP(src="192.0.2.7", dst=VIP, id=7) / UDP(sport=source_port, dport=53) / data)


def write_frames(path: pathlib.Path, frames: list[bytes]) -> None:
    with RawPcapWriter(str(path), linktype=1) as writer:
        writer.write_header(None)
        for frame in frames:
            writer.write_packet(frame, sec=0, usec=0)


def read_frames(path: pathlib.Path) -> list[bytes]:
    with contextlib.closing(RawPcapReader(str(path))) as reader:
        return [data for data, _ in reader]


def pcap_port(name: str, number: int, folder: pathlib.Path, mtu: int, *, reads: bool) -> str:
    source = f"rx_pcap={folder}/in.pcap," if reads else ""
    return (f'[[dataplane.port]]\nname = "{name}"\nmtu = {mtu}\n'
            f'device = "net_pcap{number},{source}tx_pcap={folder}/out{number}.pcap"\n')


def assert_tunnelled(sent: bytes, received: bytes) -> None:
    assert Ether(sent).dst == BACKEND_MAC
    assert IP(sent[14:]).proto == 4
    assert IP(sent[14:]).dst == "10.0.1.11"
    assert sent[34:] == received[14:], "the inner packet is byte for byte what came"


def test_jumbo_frames_in_several_segments(make_node, tmp_path):
    """A buffer holds 2 KiB: 8,900 bytes are five of them, in and out."""
    frames = [question(1000 + i, payload) for i, payload in enumerate((40, 1900, 3000, 8900))]
    write_frames(tmp_path / "in.pcap", frames)
    node = make_node(ports=pcap_port("edge0", 0, tmp_path, 9000, reads=True))
    node.configure()
    node.wait_received(len(frames))
    assert not node.drops()
    node.end()
    sent = read_frames(tmp_path / "out0.pcap")
    assert len(sent) == len(frames)
    for one, received in zip(sent, frames, strict=True):
        assert_tunnelled(one, received)


def test_in_by_one_port_out_by_another(make_node, tmp_path):
    frames = [question(1000 + i) for i in range(40)]
    write_frames(tmp_path / "in.pcap", frames)
    ports = pcap_port("edge0", 0, tmp_path, 1500, reads=True) + pcap_port("inner0", 1, tmp_path, 1600, reads=False)
    node = make_node(ports=ports, way_out="inner0")
    node.configure()
    node.wait_received(len(frames))
    assert not node.drops()
    node.end()
    assert not read_frames(tmp_path / "out0.pcap")
    sent = read_frames(tmp_path / "out1.pcap")
    assert len(sent) == len(frames)
    for one, received in zip(sent, frames, strict=True):
        assert_tunnelled(one, received)


SEND = """
import socket, sys
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind((sys.argv[1], 0))
for line in sys.stdin:
    link.send(bytes.fromhex(line))
"""


def send_frames(namespace: Namespace, interface: str, frames: list[bytes]) -> None:
    """From the kernel's end of a TAP into the device."""
    subprocess.run(namespace.inside("/usr/bin/python3", "-c", SEND, interface), check=True, timeout=30, text=True,
                   input="\n".join(frame.hex() for frame in frames))


def test_flows_spread_over_two_workers(make_node):
    """A TAP of two queues: the kernel chooses one by flow. Needs two CPUs."""
    cpus = sorted(os.sched_getaffinity(0))[-2:]
    assert len(cpus) == 2, "two workers need two CPUs"
    node = make_node(workers=cpus, ports='[[dataplane.port]]\nname = "edge0"\ndevice = "net_tap0,iface=nic0"\nmtu = 1600')
    node.configure()
    flows, rounds = 60, 3
    for _ in range(rounds):
        send_frames(node.namespace, "nic0", [question(2000 + flow) for flow in range(flows)])
        time.sleep(0.1)
    wait_until("all came", lambda: node.totals()["flow_hits"] >= flows * (rounds - 1), 20.0)
    totals, workers, drops = node.totals(), node.workers(), node.drops()
    by_worker = [worker["rx_packets"] for worker in workers]
    assert len(by_worker) == 2
    assert min(by_worker) > 0, by_worker
    assert sum(by_worker) == totals["rx_packets"]
    assert totals["flows_inserted"] == flows, "every flow stays with the worker that saw it first"
    assert totals["rx_packets"] == totals["tx_packets"] + totals["to_kernel_packets"] + sum(drops.values())


def test_two_links_as_one(make_node):
    """Bonding, active-backup: what comes by the primary leaves by it."""
    members = 'eal_args = ["--vdev=net_tap0,iface=member0", "--vdev=net_tap1,iface=member1"]'
    bond = "net_bonding0,mode=1,slave=net_tap0,slave=net_tap1,primary=net_tap0"
    node = make_node(dataplane=members, ports=f'[[dataplane.port]]\nname = "edge0"\ndevice = "{bond}"\n')
    node.configure()
    capture = Process("capture", node.namespace, ["tcpdump", "-nni", "member0", "-c", "5", "--immediate-mode",
                                                  "ip", "proto", "4"], node.folder / "capture.log")
    try:
        wait_until("tcpdump listens", lambda: "listening" in capture.log_text(), 10.0, process=capture)
        send_frames(node.namespace, "member0", [question(3000 + flow) for flow in range(5)])
        assert capture.wait(10.0) == 0, capture.log_text()
    finally:
        capture.kill()
    assert capture.log_text().count("> 10.0.1.11") == 5
