# SPDX-License-Identifier: Apache-2.0
"""Every forwarding mode and family with the kernel's own stacks at both ends: HTTP, bulk TCP, UDP, and datagrams of 64 kB.

    client ── router ══ br0 ══ balancer: a VIP for each mode and family
                         ╠═══ web-1, web-2: hold the VIPs, take packets out of their tunnel, answer directly
                         ╚═══ plain-1: has never heard of a VIP; answers what came from NAT's source addresses
"""

import collections
import dataclasses
import json

import pytest
from conservation import assert_conserved
from lab.daemons import ServicePlan
from lab.topology import BackendPlan

IPERF_PORT = 5201
DATAGRAM_BYTES = 65507  # the largest: 44 fragments
REQUESTS = 40
# Not to be failed by a busy machine: no packet may be dropped here.
PROBE = '{ type = "tcp", interval = "1s", timeout = "1s", fall = 10, rise = 1 }'
TUNNEL_BACKENDS = (BackendPlan("web-1", "10.0.1.11", 100), BackendPlan("web-2", "10.0.1.12", 100))
PLAIN_BACKENDS = (BackendPlan("plain-1", "10.0.1.21", 100, plain=True),)


@dataclasses.dataclass(frozen=True)
class Mode:
    """One service of HTTP on all its backends, and iperf3 by TCP and UDP on the first."""

    name: str
    vip: str
    forwarding: str
    backends: tuple[BackendPlan, ...]
    more: tuple[str, ...] = ()

    def services(self) -> list[ServicePlan]:
        common = {"vip": self.vip, "forwarding": self.forwarding, "more": self.more, "probe": PROBE}
        one = {**common, "port": IPERF_PORT, "backends": self.backends[:1], "probe": '{ type = "none" }'}
        return [
            ServicePlan(name=self.name, backends=self.backends, **common),
            ServicePlan(name=f"{self.name}-iperf", **one),
            ServicePlan(name=f"{self.name}-iperf-udp", protocol="udp", **one),
        ]


def plan_modes() -> list[Mode]:
    def by_ipv6(backends: tuple[BackendPlan, ...]) -> tuple[BackendPlan, ...]:
        return tuple(plan.by_ipv6() for plan in backends)

    tunnels = {
        "ipip": ("ipip", ()),
        "gre": ("gre", ()),
        "gue0": ("gue", ("gue = { variant = 0 }",)),
        "gue1": ("gue", ("gue = { variant = 1, port = 6081 }",)),
    }
    modes = []
    for name, (forwarding, more) in tunnels.items():
        for inner, outer in ((4, 4), (6, 6), (4, 6), (6, 4)):
            vip = f"198.51.100.{len(modes) + 20}" if inner == 4 else f"2001:db8:100::{len(modes) + 20}"
            backends = TUNNEL_BACKENDS if outer == 4 else by_ipv6(TUNNEL_BACKENDS)
            modes.append(Mode(f"{name}-{inner}in{outer}", vip, forwarding, backends, more))
    modes.append(Mode("l2dsr-4", "198.51.100.60", "l2dsr", TUNNEL_BACKENDS))
    modes.append(Mode("l2dsr-6", "2001:db8:100::60", "l2dsr", by_ipv6(TUNNEL_BACKENDS)))
    modes.append(Mode("nat-4", "198.51.100.61", "nat", PLAIN_BACKENDS))
    modes.append(Mode("nat-6", "2001:db8:100::61", "nat", by_ipv6(PLAIN_BACKENDS)))
    return modes


MODES = plan_modes()
NAT_MODES = [mode for mode in MODES if mode.forwarding == "nat"]
VIPS = tuple(mode.vip for mode in MODES)
TOPOLOGY = {
    "backends": (*TUNNEL_BACKENDS, *PLAIN_BACKENDS),
    "nat_sources": ("198.51.100.240", "198.51.100.241", "2001:db8:100::240", "2001:db8:100::241"),
}
SERVICES = [service for mode in MODES for service in mode.services()]


def by_name(mode: Mode) -> str:
    return mode.name


@pytest.fixture(scope="module", autouse=True)
def all_in_force(balancer):
    """The first packet must not come in between."""
    balancer.wait_all_in_force({(mode.name, plan.name) for mode in MODES for plan in mode.backends})


@pytest.fixture(scope="module", autouse=True)
def iperf_servers(lab):
    """One for each mode, on its first backend. Bound to the VIP: an unbound UDP socket would answer from the server's
    own address, which the client never asked."""
    for mode in MODES:
        server = lab.servers[mode.backends[0].name]
        if mode.forwarding != "nat":
            lab.start(f"iperf-{mode.name}", server, ["iperf3", "-s", "-p", str(IPERF_PORT), "-B", mode.vip])
    for plan in PLAIN_BACKENDS:
        lab.start(f"iperf-{plan.name}", lab.servers[plan.name], ["iperf3", "-s", "-p", str(IPERF_PORT)])


def iperf(lab, vip: str, *options: str) -> dict:
    said = lab.client.run("iperf3", "-c", vip, "-p", str(IPERF_PORT), "-J", *options, limit_s=15)
    return json.loads(said)["end"]


@pytest.mark.parametrize("mode", MODES, ids=by_name)
def test_http(lab, balancer, mode):
    host = f"[{mode.vip}]" if ":" in mode.vip else mode.vip
    said = lab.client.run(
        "curl", "-sS", "-m", "10", "-H", "Connection: close", f"http://{host}/?[1-{REQUESTS}]", limit_s=60
    )
    assert set(collections.Counter(said.split())) == {plan.name for plan in mode.backends}
    assert len(said.split()) == REQUESTS


@pytest.mark.parametrize("mode", MODES, ids=by_name)
def test_bulk_tcp(lab, balancer, mode):
    # iperf3 stops counting when the last byte is sent: what is under way then was received, too, but not counted.
    assert iperf(lab, mode.vip, "-n", "4M")["sum_received"]["bytes"] >= 1 << 20


@pytest.mark.parametrize("mode", MODES, ids=by_name)
def test_udp(lab, balancer, mode):
    assert iperf(lab, mode.vip, "-u", "-b", "20M", "-l", "1200", "-n", "600K")["sum"]["lost_packets"] == 0


@pytest.mark.parametrize("mode", MODES, ids=by_name)
def test_largest_datagrams(lab, balancer, mode):
    end = iperf(lab, mode.vip, "-u", "-b", "20M", "-l", str(DATAGRAM_BYTES), "-n", "1M")["sum"]
    assert end["packets"] >= 16
    assert end["lost_packets"] == 0


@pytest.mark.parametrize("mode", NAT_MODES, ids=by_name)
def test_replies_come_back_through_the_balancer(lab, balancer, mode):
    before = balancer.cli_json("stats")["totals"]
    assert iperf(lab, mode.vip, "-R", "-n", "4M")["sum_received"]["bytes"] >= 1 << 20
    assert balancer.cli_json("stats")["totals"]["tx_bytes"] - before["tx_bytes"] > 1 << 20
    end = iperf(lab, mode.vip, "-R", "-u", "-b", "20M", "-l", str(DATAGRAM_BYTES), "-n", "1M")["sum"]
    assert end["lost_packets"] == 0


def test_nothing_was_dropped_and_every_packet_is_accounted_for(balancer):
    drops = {drop["reason"]: drop["packets"] for drop in balancer.cli_json("drops")["drops"] if drop["packets"]}
    dropping = [row for row in balancer.cli_json("stats")["services"] if row["dropped_packets"]]
    assert not drops, f"{drops}: {[(row['service'], row['packets']) for row in dropping]}"
    assert_conserved(balancer, least_packets=len(MODES) * REQUESTS * 4)
