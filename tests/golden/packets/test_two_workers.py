#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Golden packets through penstock-dp with two workers, on a TAP with two queues: what becomes of a packet does not depend on
the worker that gets it. The kernel chooses the queue by a hash of its own, so the two ways of a flow, its fragments and the
errors about it may come to different workers; and between queues there is no order.

Here also what goes on while packets come: a backend that is drained, one whose probe fails.
"""

import collections
import dataclasses
import os
import pathlib
import sys
import tempfile

import pytest
from lab import markers
from lab.processes import Process, wait_until
from lab.tap_wire import TapWire

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import cases  # noqa: E402
import choice_cases  # noqa: E402
import configuration  # noqa: E402
import flow_hash  # noqa: E402
import icmp_cases  # noqa: E402
import modes  # noqa: E402
import nat_cases  # noqa: E402
import policy_cases  # noqa: E402
from exchange import OUR_MAC, Exchange, ether, leaving  # noqa: E402
from fragments import fragments_of  # noqa: E402
from maglev import Pool  # noqa: E402
from scapy.all import ICMP, IP, TCP, UDP, Raw  # noqa: E402
from test_packets import assert_same_frames  # noqa: E402
from tunnels import Outer  # noqa: E402

PCAP = 'device = "net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap"'
TAP = f'device = "net_tap0,iface=tap0,mac={OUR_MAC}"'
LINK_BYTES = range(14, 1515)  # that a TAP takes
TAGS = (b"\x81\x00", b"\x88\xa8")  # which the kernel takes off before anybody sees them
PROBE_PORT = 9000
LISTENER = f"""
import socket, sys
listener = socket.create_server((sys.argv[1], {PROBE_PORT}))
while True:
    listener.accept()[0].close()
"""


def on_a_tap(text: str) -> str:
    cpus = ", ".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0))[:2])
    assert text.count(PCAP) == 1 and text.count("workers = [0]") == 1
    return text.replace(PCAP, TAP).replace("workers = [0]", f'workers = [{cpus}]\nhugepages = "off"')


class Lab:
    """One process at a time, with the configuration of a test."""

    def __init__(self, lab: str, folder: pathlib.Path) -> None:
        self._lab, self._folder, self._made = lab, folder, 0
        self.wires: list[TapWire] = []

    def start(self, text: str) -> TapWire:
        self._made += 1
        folder = self._folder / str(self._made)
        folder.mkdir()
        wire = TapWire(self._lab, f"golden{self._made}", folder, on_a_tap(text))
        self.wires.append(wire)
        (wire.state / "flow-hash-key").write_bytes(bytes(16))
        wire.start()
        return wire


@pytest.fixture
def lab():
    name = str(os.getpid())
    with tempfile.TemporaryDirectory(prefix=f"penstock-{name}-") as folder:
        markers.begin(name, pathlib.Path(folder))
        made = Lab(name, pathlib.Path(folder))
        try:
            yield made
        finally:
            for wire in made.wires:
                wire.end()
            markers.end(name)
        reports = "\n".join(wire.sanitizer_reports() for wire in made.wires)
    assert not reports.strip(), reports


def fits(one: Exchange) -> bool:
    return all(len(frame) in LINK_BYTES and frame[12:14] not in TAGS for frame in (one.sent, *one.expected))


def check(wire: TapWire, exchanges: list[Exchange]) -> None:
    """What comes out, in any order, and what is dropped for what."""
    before = wire.drops()
    got = wire.exchange([one.sent for one in exchanges], [bool(one.expected) for one in exchanges])
    assert_same_frames(sorted(got), sorted(frame for one in exchanges for frame in one.expected))
    reasons = collections.Counter("no_exception_path" if one.verdict == "kernel" else one.verdict for one in exchanges)
    counted = {reason: count - before[reason] for reason, count in wire.drops().items() if count != before[reason]}
    assert counted == {reason: count for reason, count in reasons.items() if reason not in ("forward", "reply")}


def many_fragments() -> list[Exchange]:
    """Datagrams of many clients, each fragment where the kernel's hash sends it, some before their first one."""
    tunnel, out = Outer("ipip", configuration.TUNNEL_BACKEND), []
    for client in range(1, 101):
        whole = IP(src=f"192.0.3.{client}", dst=configuration.VIP) / UDP(sport=40000 + client, dport=53) / (b"f" * 1200)
        parts = fragments_of(whole, client, 600)
        for part in reversed(parts) if client % 3 == 0 else parts:
            out.append(Exchange(bytes(ether() / part), "forward", (leaving(tunnel.around(part)),)))
    return out


@pytest.mark.parametrize("used", [configuration.STANDARD, modes.CONFIGURATION], ids=lambda used: used.name)
def test_what_becomes_of_a_packet_does_not_depend_on_the_worker(lab, used):
    wire = lab.start(used.text)
    group = [case for case in cases.CASES.values() if case.configuration is used]
    check(wire, [one for case in group for one in case.exchanges() if fits(one) and not one.waits])
    assert all(worker["rx_packets"] > 20 for worker in wire.api.get("/v1/stats")["workers"]), "a TAP has two queues"


def test_fragments_follow_their_first_one_whichever_worker_it_came_to(lab):
    check(lab.start(configuration.STANDARD.text), many_fragments())


def test_errors_find_their_flow_in_the_other_worker_s_table(lab):
    """After a drain the hash names other backends: only the entry of a flow, in whichever table, tells where it goes."""
    wire = lab.start(choice_cases.CONFIGURATION.text)
    pool: Pool = choice_cases.POOLS["plain"]
    ports = range(41000, 41120)
    owner = {port: pool.choose_by_tuple("192.0.2.1", port) for port in ports}
    check(wire, [choice_cases.to(owner[port], choice_cases.syn("192.0.2.1", port, pool.vip)) for port in ports])
    wire.penstock("backend", "drain", "plain/plain-1")
    wire.wait_live()
    drained = [port for port in ports if owner[port] == choice_cases.BACKENDS[0]]
    assert len(drained) > 20
    errors = []
    for number, port in enumerate(drained):
        answered = bytes(IP(src=pool.vip, dst="192.0.2.1") / TCP(sport=80, dport=port, flags="A") / b"lost")
        # Of many routers, so that they spread over the queues.
        router = IP(src=f"203.0.113.{1 + number}", dst=pool.vip)
        error = router / ICMP(**icmp_cases.ERRORS4[number % 6]) / Raw(answered)
        errors.append(choice_cases.to(owner[port], error, entropy=flow_hash.flow_hash("192.0.2.1", pool.vip, port, 80, 6)))
    check(wire, errors)


NAT_ROWS = (nat_cases.tcp, nat_cases.udp, nat_cases.errors, nat_cases.fragments)
PORT_SHARES = ((1024, 32256), (33280, 32256))  # of the workers: docs/design/nat.md


def test_nat_both_ways_whichever_worker_gets_which_way(lab):
    """The worker that gets a flow's first packet gives it a port of its share; everything else goes there by a ring."""
    wire = lab.start(nat_cases.CONFIGURATION.text)
    plans = [[row.make(dataclasses.replace(flow, ports=share)) for share in PORT_SHARES]
             for (row, _), flow in nat_cases.FLOWS.items() if row.make in NAT_ROWS]
    first = wire.exchange([both[0][0].sent for both in plans], [True] * len(plans))
    chosen = [[plan for plan in both if plan[0].expected[0] in first] for both in plans]
    assert len(first) == len(plans) and all(len(of_flow) == 1 for of_flow in chosen)
    # What one side sends follows from what the other side has got: the flows go on side by side, packet by packet.
    for step in range(1, max(len(plan) for plan, in chosen)):
        check(wire, [plan[step] for plan, in chosen if step < len(plan)])
    totals = wire.api.get("/v1/stats")["totals"]
    assert totals["handed_over"] > len(plans), totals


def with_probes(text: str) -> str:
    """Of the services whose backend is to go down."""
    head, *services = text.split("[[service]]")
    probe = f'probe = {{ type = "tcp", port = {PROBE_PORT}, interval = "100ms", timeout = "100ms", fall = 1, rise = 1 }}'
    return "[[service]]".join([head] + [
        one.replace('probe = { type = "none" }', probe) if any(f'name = "{name}"' in one for name in policy_cases.DOWN) else one
        for one in services])


def wait_health(wire: TapWire, health: str) -> None:
    """Until every worker acts on this health of the first backends."""
    def is_so() -> bool:
        live = {(one["service"], one["backend"]): one["to"]
                for one in wire.api.get("/v1/events")["events"] if one["type"] == "health-live"}
        return all(live.get((name, f"{name}-1")) == health for name in policy_cases.DOWN)

    wait_until(f"the first backends are {health}", is_so, 30.0)


def test_a_server_that_goes_down(lab):
    wire = lab.start(with_probes(policy_cases.CONFIGURATION.text))
    listeners = []
    for address in policy_cases.PAIR:
        wire.host.add_address("lo", f"{address}/32")
        listeners.append(Process("listener", wire.host, [sys.executable, "-c", LISTENER, address],
                                 wire.folder / "listener.log"))
    try:
        wait_health(wire, "up")
        groups = [cases.CASES[f"down_{name}"] for name in policy_cases.DOWN]
        for case in groups:
            check(wire, case.exchanges()[:min(case.down) - 1])
        listeners[0].kill()
        wait_health(wire, "down")
        for case in groups:
            for one in case.exchanges()[min(case.down) - 1:]:
                check(wire, [one])
    finally:
        for listener in listeners:
            listener.kill()
