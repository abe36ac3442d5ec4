# SPDX-License-Identifier: Apache-2.0
"""penstock explain against the wire: 10,000 random flows, and it says what happens 10,000 times, before and after a drain.

    flow_exchange.py ─► tap0 ─► penstock-dp, two workers ─► tap0 ─► flow_exchange.py

A TAP spreads flows over two queues, so an entry may stand in either worker's table.
"""

import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import pytest
from lab import markers
from lab.daemons import SANITIZERS, Api, can_connect
from lab.namespaces import Namespace
from lab.processes import Process, wait_until
from scapy.all import IP, TCP, UDP, Ether

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / os.environ.get("PENSTOCK_FLAVOUR", "debug")
FLOWS = 10_000
OUR_MAC, NEXT_HOP = "02:00:00:00:00:aa", "02:00:00:00:00:bb"
VIP, EMPTY_VIP, OTHER = "198.51.100.10", "198.51.100.12", "203.0.113.99"

CONFIGURATION = f"""\
[node]
name = "explained"

[dataplane]
workers = [{", ".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0))[:2])}]
tunnel_source = "10.0.0.1"
hugepages = "off"

[[dataplane.port]]
name = "edge0"
device = "net_tap0,iface=tap0"
mtu = 1500

# Nothing may expire between an answer and its packet.
[flow]
tcp_syn = "10m"
udp = "10m"
"""
BACKENDS = {"web": range(1, 6), "dns": range(11, 14)}
for host in [*BACKENDS["web"], *BACKENDS["dns"]]:
    CONFIGURATION += f'\n[[dataplane.neighbour]]\naddress = "10.0.1.{host}"\nmac = "{NEXT_HOP}"\nport = "edge0"\n'
for name, vip, protocol, port in (("web", VIP, "tcp", 80), ("dns", VIP, "udp", 53), ("empty", EMPTY_VIP, "tcp", 80)):
    backends = ", ".join(f'{{ name = "{name}-{host}", address = "10.0.1.{host}" }}' for host in BACKENDS.get(name, ()))
    CONFIGURATION += (f'\n[[service]]\nname = "{name}"\nvip = "{vip}"\nprotocol = "{protocol}"\nport = {port}\n'
                      f'forwarding = "ipip"\nprobe = {{ type = "none" }}\nbackend = [{backends}]\n')


class Wire:
    """The programs in a namespace of their own, with a TAP between them and us."""

    def __init__(self, lab: str, folder: pathlib.Path) -> None:
        self.folder = folder
        self.runtime = folder / "run"
        markers.add_namespace(lab, f"penstock-{lab}-explain")
        self.host = Namespace(lab, "explain")
        self.processes: list[Process] = []
        self.api = Api(self.runtime / "control.sock")
        (folder / "penstock.toml").write_text(CONFIGURATION, encoding="utf-8")

    def start(self) -> None:
        self.runtime.mkdir()
        (self.folder / "state").mkdir()
        for program, sock in (("dataplane/penstock-dp", "dataplane.sock"), ("controlplane/penstock-cp", "control.sock")):
            command = [str(BUILD / program), "--config", str(self.folder / "penstock.toml"),
                       "--runtime-dir", str(self.runtime), "--state-dir", str(self.folder / "state")]
            name = pathlib.Path(program).name
            process = Process(name, self.host, command, self.folder / f"{name}.log", SANITIZERS)
            self.processes.append(process)
            wait_until(f"{name} listens", lambda sock=sock: can_connect(self.runtime / sock), 60.0, process=process)
        self.wait_live()
        self.host.set_up("tap0", 1500)

    def wait_live(self) -> None:
        def live() -> bool:
            generation = self.api.get("/v1/status")["generation"]
            return generation["live"] is not None and generation["live"] == generation["desired"]

        wait_until("the desired generation is live", live, 30.0)

    def end(self) -> None:
        for process in reversed(self.processes):
            if process.is_running():
                process.stop()
        self.host.remove()

    def penstock(self, *arguments: str) -> str:
        answer = subprocess.run(
            [str(BUILD / "tools/cli/penstock"), "--runtime-dir", str(self.runtime), *arguments],
            capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **SANITIZERS},
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def explain(self, flows: list) -> list[dict]:
        path = self.folder / "flows.txt"
        path.write_text("".join(flow.line() + "\n" for flow in flows), encoding="utf-8")
        return [json.loads(line) for line in self.penstock("explain", "--list", str(path), "--json").splitlines()]

    def send(self, flows: list) -> dict:
        """Flow → the addresses that its packet left to."""
        path = self.folder / "frames.json"
        path.write_text(json.dumps([flow.frame().hex() for flow in flows]), encoding="utf-8")
        script = pathlib.Path(__file__).with_name("flow_exchange.py")
        printed = self.host.run(sys.executable, str(script), "tap0", str(path), limit_s=150.0)
        seen = collections.defaultdict(list)
        for text in json.loads(printed):
            outer = Ether(bytes.fromhex(text))
            if IP in outer and outer[IP].proto == 4:
                inner = outer[IP].payload
                seen[(inner.src, inner.payload.sport, inner.dst, inner.payload.dport)].append((outer.dst, outer[IP].dst))
        return seen


class Flow:
    def __init__(self, source: str, port: int, target: tuple[str, str, int], syn: bool) -> None:
        self.source, self.port, self.syn = source, port, syn and target[0] == "tcp"
        self.protocol, self.destination, self.to_port = target

    def key(self) -> tuple:
        return (self.source, self.port, self.destination, self.to_port)

    def line(self) -> str:
        return (f"{self.protocol} {self.source}:{self.port} {self.destination}:{self.to_port}"
                + (" syn" if self.syn else ""))

    def frame(self) -> bytes:
        layer4 = TCP(sport=self.port, dport=self.to_port, flags="S" if self.syn else "A")
        if self.protocol == "udp":
            layer4 = UDP(sport=self.port, dport=self.to_port)
        return bytes(Ether(dst=OUR_MAC, src="02:00:00:00:00:01") / IP(src=self.source, dst=self.destination) / layer4)


def random_flows(seed: int) -> list[Flow]:
    """Mostly to the two services; some to nobody, to no backend, and to a VIP that is not ours."""
    chosen = random.Random(seed)
    targets = [("tcp", VIP, 80)] * 6 + [("udp", VIP, 53)] * 3 + [("tcp", VIP, 81), ("tcp", EMPTY_VIP, 80), ("udp", OTHER, 53)]
    flows: dict[tuple, Flow] = {}
    while len(flows) < FLOWS:
        source = f"192.0.2.{chosen.randrange(1, 250)}"
        flow = Flow(source, chosen.randrange(1024, 65536), chosen.choice(targets), chosen.random() < 0.5)
        flows[flow.key()] = flow
    return list(flows.values())


@pytest.fixture(scope="module")
def wire():
    lab = str(os.getpid())
    with tempfile.TemporaryDirectory(prefix=f"penstock-{lab}-") as folder:
        markers.begin(lab, pathlib.Path(folder))
        made = Wire(lab, pathlib.Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.end()
            markers.end(lab)
        reports = "\n".join(process.sanitizer_report() for process in made.processes)
    assert not reports.strip(), reports


@pytest.fixture(scope="module")
def flows():
    return random_flows(7)


def assert_agree(wire: Wire, flows: list[Flow], said: list[dict]) -> collections.Counter:
    before = wire.api.get("/v1/drops")["drops"]
    seen = wire.send(flows)
    after = wire.api.get("/v1/drops")["drops"]
    wrong = []
    for flow, answer in zip(flows, said, strict=True):
        expected = []
        if answer["verdict"] == "forward":
            expected = [(answer["backend"]["next_hop"], answer["backend"]["address"])]
        if seen.get(flow.key(), []) != expected:
            wrong.append(f"{flow.line()}: said {answer}, left as {seen.get(flow.key())}")
    assert not wrong, f"{len(wrong)} of {len(flows)} disagree; the first:\n{wrong[0]}"
    verdicts = collections.Counter(answer["reason"] or answer["verdict"] for answer in said)
    counted = {one["reason"]: one["packets"] - other["packets"] for one, other in zip(after, before, strict=True)}
    for reason in ("no_service", "no_backend"):
        assert counted[reason] == verdicts[reason], reason
    return verdicts


def test_10000_new_flows_go_where_explain_said(wire, flows):
    verdicts = assert_agree(wire, flows, wire.explain(flows))
    assert verdicts["forward"] > FLOWS // 2
    assert all(verdicts[word] > 0 for word in ("no_service", "no_backend", "kernel")), verdicts


def test_established_flows_stay_where_explain_says_through_a_drain(wire, flows):
    """Both workers have entries; half of the packets are SYNs, which a draining backend does not keep."""
    wire.penstock("backend", "drain", "web/web-2")
    wire.penstock("backend", "disable", "dns/dns-12")
    wire.wait_live()
    said = wire.explain(flows)
    workers = {one["flows"][0]["worker"] for one in said if one["flows"]}
    assert workers == {0, 1}, "a TAP spreads flows over both workers"
    followed = [one for one in said if one["backend"] and one["backend"]["name"] == "web-2"]
    assert followed
    assert all(one["flows"] and one["backend"]["admin"] == "drain" and one["slot"]["backend"] != "web-2" for one in followed)
    assert_agree(wire, flows, said)


def test_explaining_changes_nothing(wire, flows):
    before = wire.api.get("/v1/stats")
    wire.explain(flows[:1000])
    after = wire.api.get("/v1/stats")
    for name in ("rx_packets", "tx_packets", "flows", "flow_hits", "flow_misses", "replies"):
        assert before["totals"][name] == after["totals"][name], name
    assert [one["packets"] for one in before["services"]] == [one["packets"] for one in after["services"]]


def test_one_flow_for_people(wire):
    text = wire.penstock("explain", "tcp", "203.0.113.7:40000", f"{VIP}:80", "--syn")
    assert "verdict\tforward\n" in text
    assert f"service\tweb ({VIP}:80/tcp)\n" in text
    assert "no entry: the hash chooses" in text
    assert "up, ready, weight 100" in text
    assert f"next hop\t{NEXT_HOP} by edge0" in text
    assert "ipip, leaves as 10.0.0.1 > 10.0.1." in text
    dropped = wire.penstock("explain", "tcp", "203.0.113.7:40000", f"{EMPTY_VIP}:80")
    assert "no_backend: the service has no backend that is up, ready and of weight above 0" in dropped


def test_a_packet_of_a_capture(wire):
    path = wire.folder / "in.pcap"
    from scapy.all import wrpcap

    wrpcap(str(path), [Ether(Flow("192.0.2.1", port, ("tcp", VIP, 80), True).frame()) for port in (1, 2, 3)])
    one = json.loads(wire.penstock("explain", "--pcap", str(path), "--index", "2", "--json"))
    other = json.loads(wire.penstock("explain", "tcp", "192.0.2.1:2", f"{VIP}:80", "--syn", "--json"))
    assert one["hash"] == other["hash"]
    assert one["backend"] == other["backend"]


def test_wrong_questions_are_answered_in_words(wire):
    path = wire.folder / "broken.txt"
    path.write_text(f"# flows\ntcp 192.0.2.1:1 {VIP}:80\ntcp 192.0.2.1 {VIP}:80\n", encoding="utf-8")
    for arguments, code, words in (
        (["--list", str(path)], 1, f"{path}:3: '192.0.2.1' has no port"),
        (["tcp", "192.0.2.1:1", "[2001:db8::1]:80"], 2, "of two families"),
        (["icmp", "192.0.2.1:1", f"{VIP}:80"], 2, "neither tcp nor udp"),
        (["--pcap", str(path)], 2, "--pcap and --index belong together"),
        ([], 2, "explain one thing"),
    ):
        answer = subprocess.run(
            [str(BUILD / "tools/cli/penstock"), "--runtime-dir", str(wire.runtime), "explain", *arguments],
            capture_output=True, text=True, timeout=60, check=False,
        )
        assert answer.returncode == code, answer.stderr
        assert words in answer.stderr
