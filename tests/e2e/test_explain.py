# SPDX-License-Identifier: Apache-2.0
"""penstock explain against the wire: 10,000 random flows in every mode and family, and it says byte for byte what leaves,
10,000 times, before and after a drain, a maintenance and a server's death.

    flow_exchange.py ─► tap0 ─► penstock-dp, two workers ─► tap0 ─► flow_exchange.py

A TAP spreads flows over two queues, so an entry may stand in either worker's table. What leaves is compared as it is, but
for NAT: which port a worker takes is the worker's business.
"""

import collections
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import pytest
from flow_frames import Flow, without_nat_port
from lab import markers
from lab.daemons import find_event
from lab.processes import Process, wait_until
from lab.tap_wire import BUILD, TapWire
from scapy.all import RawPcapWriter

FLOWS = 10_000
AT_ONCE = 256  # packets of one question to the API
VIP, EMPTY_VIP, OTHER = "198.51.100.10", "198.51.100.12", "203.0.113.99"
NONE = '{ type = "none" }'
PROBE = '{ type = "tcp", interval = "200ms", timeout = "150ms", fall = 2, rise = 1, jitter = 0 }'
# name: VIP, protocol, port, forwarding, the backends' network, their last numbers, probe, further lines
SERVICES = {
    "web": (VIP, "tcp", 80, "ipip", "10.0.1.", range(1, 6), NONE, ""),
    "dns": (VIP, "udp", 53, "ipip", "10.0.1.", range(11, 14), NONE, ""),
    "empty": (EMPTY_VIP, "tcp", 80, "ipip", "", (), NONE, ""),
    "gre": ("198.51.100.13", "tcp", 80, "gre", "2001:db8:1::", range(21, 24), NONE, ""),
    "gue0": ("2001:db8:100::14", "udp", 443, "gue", "10.0.1.", range(31, 34), NONE, ""),
    "gue1": ("198.51.100.15", "tcp", 80, "gue", "10.0.1.", range(41, 44), NONE, "gue = { variant = 1, port = 6081 }"),
    "six": ("2001:db8:100::16", "tcp", 80, "ipip", "2001:db8:1::", range(51, 54), NONE, ""),
    "l2dsr": ("198.51.100.17", "udp", 53, "l2dsr", "10.0.1.", range(61, 64), NONE, ""),
    "l2dsr6": ("2001:db8:100::18", "tcp", 80, "l2dsr", "2001:db8:1::", range(71, 74), NONE, ""),
    "nat": ("198.51.100.19", "tcp", 80, "nat", "10.0.1.", range(81, 84), NONE, ""),
    "nat6": ("2001:db8:100::20", "udp", 53, "nat", "2001:db8:1::", range(91, 94), NONE, ""),
    # These have servers, in the dataplane's own namespace: probes reach them, and one of them dies.
    "mortal": ("198.51.100.21", "tcp", 80, "ipip", "10.0.2.", range(101, 104), PROBE, ""),
}
NAT = ("nat", "nat6")


def mac_of(number: int) -> str:
    return f"02:00:00:00:01:{number:02x}"


def backend(network: str, number: int) -> str:
    """Its address; the number is decimal in IPv4, hexadecimal in IPv6."""
    return f"{network}{number:x}" if ":" in network else f"{network}{number}"


def configuration() -> str:
    cpus = ", ".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0))[:2])
    text = [f"""\
[node]
name = "explained"

[dataplane]
workers = [{cpus}]
tunnel_source = "10.0.0.1"
tunnel_source_ipv6 = "2001:db8:1::ffff"
hugepages = "off"

[[dataplane.port]]
name = "edge0"
device = "net_tap0,iface=tap0"
mtu = 1500

# Nothing may expire between an answer and its packet.
[flow]
tcp_syn = "10m"
udp = "10m"

[nat]
source = ["10.0.9.1", "2001:db8:9::1"]
"""]
    for name, (vip, protocol, port, forwarding, network, numbers, probe, more) in SERVICES.items():
        text += [f'[[dataplane.neighbour]]\naddress = "{backend(network, number)}"\nmac = "{mac_of(number)}"\nport = "edge0"\n'
                 for number in numbers]
        backends = ", ".join(f'{{ name = "{name}-{number}", address = "{backend(network, number)}" }}' for number in numbers)
        text.append(f'[[service]]\nname = "{name}"\nvip = "{vip}"\nprotocol = "{protocol}"\nport = {port}\n'
                    f'forwarding = "{forwarding}"\nprobe = {probe}\n{more}\nbackend = [{backends}]\n')
    return "\n".join(text)


class Wire(TapWire):
    """The programs in a namespace of their own, with a TAP between them and us."""

    def start_servers(self) -> None:
        """Of the service whose servers are real, and mortal."""
        _, _, port, _, network, numbers, _, _ = SERVICES["mortal"]
        for number in numbers:
            address = backend(network, number)
            self.host.add_address("lo", f"{address}/32")
            command = [sys.executable, "-m", "http.server", "--bind", address, str(port)]
            server = Process(f"server-{number}", self.host, command, self.folder / f"server-{number}.log")
            self.processes.append(server)
            wait_until(f"the server at {address} listens", lambda address=address: address in self.host.run("ss", "-Hltn"),
                       20.0, process=server)

    def start(self) -> None:
        self.start_servers()
        super().start()
        for number in SERVICES["mortal"][5]:
            self.wait_health(f"mortal-{number}", "up")

    def wait_health(self, name: str, to: str) -> None:
        """Until every worker acts on it."""
        wait_until(f"{name} is {to} on every worker",
                   lambda: find_event(self.api.get("/v1/events")["events"], "health-live", backend=name, to=to), 20.0)

    def explain(self, flows: list[Flow]) -> list[dict]:
        """By their frames, as they will come."""
        answers = []
        for begin in range(0, len(flows), AT_ONCE):
            packets = [{"frame": flow.frame().hex()} for flow in flows[begin : begin + AT_ONCE]]
            answers += self.api.post("/v1/explain", json.dumps({"packets": packets}))["packets"]
        return answers

    def explain_list(self, flows: list[Flow]) -> list[dict]:
        """By the command, from a file."""
        path = self.folder / "flows.txt"
        path.write_text("".join(flow.line() + "\n" for flow in flows), encoding="utf-8")
        return [json.loads(line) for line in self.penstock("explain", "--list", str(path), "--json").splitlines()]

    def send(self, flows: list[Flow], answers: list[dict]) -> collections.Counter:
        """The frames that left. How many of each slice are expected says only how long to wait for them."""
        expected = [answer["sent"] is not None and answer["verdict"] != "drop" for answer in answers]
        frames = self.exchange([flow.frame() for flow in flows], expected)
        return collections.Counter(as_compared(frame) for frame in frames)


NAT_MACS = {bytes.fromhex(mac_of(number).replace(":", "")) for name in NAT for number in SERVICES[name][5]}


def as_compared(frame: bytes) -> bytes:
    return without_nat_port(frame) if frame[:6] in NAT_MACS else frame


def random_flows(seed: int, names: tuple[str, ...] = tuple(SERVICES), count: int = FLOWS) -> list[Flow]:
    """To all services alike; some to a port that none has, and some to a VIP that is not ours."""
    chosen = random.Random(seed)
    targets = [SERVICES[name][:3] for name in names]
    if len(names) == len(SERVICES):
        targets += [(VIP, "tcp", 81), (OTHER, "udp", 53)]
    flows: dict[tuple, Flow] = {}
    while len(flows) < count:
        vip, protocol, port = chosen.choice(targets)
        host = chosen.randrange(1, 250)
        source = f"2001:db8:c::{host:x}" if ":" in vip else f"192.0.2.{host}"
        flow = Flow(len(flows), protocol, (source, chosen.randrange(1024, 65536)), (vip, port),
                    syn=protocol == "tcp" and chosen.random() < 0.5)
        flows.setdefault(flow.key(), flow)
    return list(flows.values())


@pytest.fixture(scope="module")
def wire():
    lab = str(os.getpid())
    with tempfile.TemporaryDirectory(prefix=f"penstock-{lab}-") as folder:
        markers.begin(lab, pathlib.Path(folder))
        made = Wire(lab, "explain", pathlib.Path(folder), configuration())
        try:
            made.start()
            yield made
        finally:
            made.end()
            markers.end(lab)
        reports = made.sanitizer_reports()
    assert not reports.strip(), reports


@pytest.fixture(scope="module")
def flows():
    return random_flows(7)


def assert_agree(wire: Wire, flows: list[Flow], said: list[dict]) -> collections.Counter:
    before = wire.api.get("/v1/drops")["drops"]
    left = wire.send(flows, said)
    after = wire.api.get("/v1/drops")["drops"]
    expected = collections.Counter(as_compared(bytes.fromhex(answer["sent"])) for answer in said
                                   if answer["verdict"] in {"forward", "reply"})
    missing, surprising = expected - left, left - expected
    assert not missing, f"{missing.total()} of {len(flows)} did not leave as said, the first: {next(iter(missing)).hex()}"
    assert not surprising, f"{surprising.total()} that nobody spoke of left, the first: {next(iter(surprising)).hex()}"
    verdicts = collections.Counter(answer["reason"] or answer["verdict"] for answer in said)
    counted = {one["reason"]: one["packets"] - other["packets"] for one, other in zip(after, before, strict=True)}
    for reason in ("no_service", "no_backend"):
        assert counted[reason] == verdicts[reason], reason
    return verdicts


def test_10000_new_flows_leave_as_explain_said(wire, flows):
    said = wire.explain(flows)
    verdicts = assert_agree(wire, flows, said)
    assert verdicts["forward"] > FLOWS // 2
    assert all(verdicts[word] > 0 for word in ("no_service", "no_backend", "kernel")), verdicts
    chosen = {answer["backend"]["name"] for answer in said if answer["backend"]}
    assert chosen == {f"{name}-{number}" for name, plan in SERVICES.items() for number in plan[5]}


def test_established_flows_are_where_explain_says_after_drain_maintenance_and_death(wire, flows):
    """Both workers have entries; half of the packets are SYNs, which a draining backend does not keep. Of a NAT flow that
    exists explain says what would become of a new one, so those are new."""
    wire.penstock("backend", "drain", "web/web-2")
    wire.penstock("backend", "drain", "six/six-52")
    wire.penstock("backend", "disable", "dns/dns-12")
    wire.penstock("backend", "disable", "nat/nat-82")
    next(process for process in wire.processes if process.name == "server-102").kill()
    wire.wait_health("mortal-102", "down")
    wire.wait_live()
    nat_vips = {SERVICES[name][0] for name in NAT}
    kept = [flow for flow in flows if flow.destination[0] not in nat_vips]
    flows = kept + random_flows(8, NAT, FLOWS - len(kept))
    said = wire.explain(flows)
    workers = {one["flows"][0]["worker"] for one in said if one["flows"]}
    assert workers == {0, 1}, "a TAP spreads flows over both workers"
    for name, service in (("web-2", "web"), ("six-52", "six")):
        followed = [one for one in said if one["backend"] and one["backend"]["name"] == name]
        assert followed
        assert all(one["flows"] and one["backend"]["admin"] == "drain" and one["slot"]["backend"] != name for one in followed)
        assert len(followed) < len([one for one in said if one["service"] == service])
    left = [one for one in said if one["flows"] and one["flows"][0]["backend"] in {"dns-12", "mortal-102"}]
    assert {one["flows"][0]["backend"] for one in left} == {"dns-12", "mortal-102"}
    chosen = {one["backend"]["name"] for one in said if one["backend"]}
    assert not chosen & {"dns-12", "nat-82", "mortal-102"}
    assert_agree(wire, flows, said)


def test_explaining_changes_nothing(wire, flows):
    before = wire.api.get("/v1/stats")
    asked = flows[:1000]
    for frame, line in zip(wire.explain(asked), wire.explain_list(asked), strict=True):
        for entry in (*frame["flows"], *line["flows"]):
            del entry["age_s"]  # time passes
        for key in ("verdict", "reason", "hash", "slot", "flows", "backend", "port"):
            assert frame[key] == line[key], key
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
    assert re.search(r"next hop\t02:00:00:00:01:0[1-5] by edge0", text)
    assert "ipip, leaves as 10.0.0.1 > 10.0.1." in text
    dropped = wire.penstock("explain", "tcp", "203.0.113.7:40000", f"{EMPTY_VIP}:80")
    assert "no_backend: the service has no backend that is up, ready and of weight above 0" in dropped


def test_a_packet_of_a_capture(wire):
    path = wire.folder / "in.pcap"
    with RawPcapWriter(str(path), linktype=1) as writer:
        writer.write_header(None)
        for port in (1, 2, 3):
            writer.write_packet(Flow(port, "tcp", ("192.0.2.1", port), (VIP, 80), syn=True).frame(), sec=0, usec=0)
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
