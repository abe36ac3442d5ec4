# SPDX-License-Identifier: Apache-2.0
"""Probes through the data path, between real stacks (tunnel_lab.py): from the balancer to a VIP on the server.

The balancer's routes lead VIPs to the client, and its reverse path filter is strict: a probe arrives, and its answer
comes in, by the probe path or not at all."""

import json
import os
import subprocess

import pytest
from tunnel_lab import DECAP, HERE, IN_PREFIX, PREFIX, VIP, VIP6, VIPS, Lab, decapsulator, stop

PROBE = HERE.parents[1] / "build" / "debug" / "tests" / "bpf" / "probe-connect"
ON_LINK_VIP = "10.9.0.200"
SERVER = {4: "10.9.0.2", 6: "fd00:9::2"}
NODE = {4: "10.9.0.1", 6: "fd00:9::1"}
TOWARDS_VIPS = {4: "10.8.0.1", 6: "fd00:8::1"}  # the node's address by its default routes


@pytest.fixture(scope="module")
def lab():
    assert os.geteuid() == 0, "needs root, for network namespaces and XDP"
    for program in (DECAP, PROBE):
        assert program.exists(), f"{program} is not built: tools/build debug"
    made = Lab()
    try:
        made.build()
        for vip in VIPS:
            made.must(made.balancer, f"ip route del blackhole {vip}")
        made.must(made.balancer, "ip route add default via 10.8.0.2")
        made.must(made.balancer, "ip -6 route add default via fd00:8::2")
        made.must(made.balancer, "sysctl -qw net.ipv4.conf.b1.rp_filter=1")
        # The server holds one VIP of its own network, as with l2dsr, and keeps silent about it.
        made.must(made.server, "sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2")
        made.must(made.server, f"ip address add {ON_LINK_VIP}/32 dev lo")
        yield made
    finally:
        made.clean()


def probe(lab: Lab, mode: str, vip: str, backend: str) -> dict:
    done = lab.run(lab.balancer, str(PROBE), mode, vip, backend)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def family_of(address: str) -> int:
    return 6 if ":" in address else 4


def assert_arrived(answer: dict) -> None:
    assert answer["error"] == ""
    # The kernel's own multicast reports on the device count as no_target.
    assert answer["sent"] >= 3 and not answer["no_route"] and not answer["failed"]


@pytest.mark.parametrize("backend", SERVER.values())
@pytest.mark.parametrize("vip", [VIP, VIP6, IN_PREFIX, ON_LINK_VIP])
@pytest.mark.parametrize("mode", ["ipip", "gre", "gue0", "gue1"])
def test_a_probe_arrives_through_every_tunnel(lab, mode, vip, backend):
    with decapsulator(lab, "-v", VIP6, "-v", PREFIX, "-v", ON_LINK_VIP) as process:
        answer = probe(lab, mode, vip, backend)
        counters, errors = stop(process)
    assert_arrived(answer)
    # On-link VIPs of the other family than the backend are reached from the same address.
    on_link = family_of(vip) == family_of(backend) or vip == ON_LINK_VIP
    assert answer["source"] == (NODE if on_link else TOWARDS_VIPS)[family_of(vip)]
    assert errors == ""
    assert counters["decapsulated"] == counters[mode[:3] if mode.startswith("gue") else mode] >= 3


@pytest.mark.parametrize("vip", [VIP, VIP6, ON_LINK_VIP])
def test_a_probe_arrives_by_l2dsr(lab, vip):
    assert_arrived(probe(lab, "l2dsr", vip, SERVER[family_of(vip)]))


def test_a_probe_arrives_where_the_kernel_has_no_route_to_the_vip(lab):
    lab.must(lab.balancer, "ip route del default via 10.8.0.2")
    try:
        with decapsulator(lab):
            assert_arrived(probe(lab, "ipip", VIP, SERVER[4]))
    finally:
        lab.must(lab.balancer, "ip route add default via 10.8.0.2")


def plain_probe(lab: Lab, host: str) -> subprocess.CompletedProcess:
    return lab.run(lab.balancer, "curl", "-sS", "-m", "2", f"http://{host}/10")


def test_an_on_link_vip_is_out_of_reach_without_the_probe_path(lab):
    assert plain_probe(lab, ON_LINK_VIP).returncode != 0


@pytest.mark.parametrize("mode", ["ipip", "gue0"])
def test_a_server_without_the_vip_is_found(lab, mode):
    with decapsulator(lab):
        lab.must(lab.server, f"ip address del {VIP}/32 dev lo")
        try:
            assert plain_probe(lab, SERVER[4]).stdout == "x" * 10, "the server itself is well"
            answer = probe(lab, mode, VIP, SERVER[4])
        finally:
            lab.must(lab.server, f"ip address add {VIP}/32 dev lo")
        assert answer["error"].startswith("cannot connect") and answer["sent"] > 0
        assert_arrived(probe(lab, mode, VIP, SERVER[4]))


def test_a_server_without_a_decapsulator_is_found(lab):
    assert plain_probe(lab, SERVER[4]).stdout == "x" * 10
    answer = probe(lab, "ipip", VIP, SERVER[4])
    # The server's kernel says that it knows no such protocol.
    assert answer["error"].startswith("cannot connect") and answer["sent"] > 0


def state(lab: Lab) -> tuple[str, str, str]:
    rules = "".join(lab.must(lab.balancer, f"ip {family} rule") for family in ("-4", "-6"))
    links = lab.must(lab.balancer, "ip -br link")
    names = " ".join(line.split("@")[0].split()[0] for line in links.splitlines())
    return rules, names, lab.must(lab.balancer, "sysctl -n net.ipv4.conf.b1.rp_filter")


@pytest.fixture
def taken(lab):
    """A decapsulator that takes the probes, and the reverse path filter as it was."""
    with decapsulator(lab):
        yield
    lab.must(lab.balancer, "sysctl -qw net.ipv4.conf.b1.rp_filter=1")


@pytest.mark.usefixtures("taken")
def test_nothing_is_left_behind_even_after_a_kill(lab):
    before = state(lab)
    assert_arrived(probe(lab, "ipip", VIP, SERVER[4]))
    assert state(lab) == before

    held = lab.start(lab.balancer, PROBE, "ipip", VIP, SERVER[4], "hold")
    assert json.loads(held.stdout.readline())["error"] == ""
    assert state(lab) != before
    second = lab.run(lab.balancer, str(PROBE), "ipip", VIP, SERVER[4])
    assert second.returncode == 1 and "another process has the probe device" in second.stderr
    held.kill()
    held.communicate()
    assert "penstock-probe" not in state(lab)[1]
    assert_arrived(probe(lab, "ipip", VIP, SERVER[4]))
    assert state(lab)[:2] == before[:2]
