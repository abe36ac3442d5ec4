# SPDX-License-Identifier: Apache-2.0
"""A port that DPDK owns, and its kernel behind it (owned_port.py).

    client ── router ══ br0 ══ eth1 ── nic0 ─► worker ─► edge0-k: 10.0.1.2, the kernel's, with an nginx of its own
                         ╠═══ web-1, web-2: 198.51.100.10 and 2001:db8:100::10 by ipip
                         ╚═══ plain-1: 198.51.100.61 by nat
"""

import json

import pytest
from conftest import FLAVOUR
from conservation import assert_conserved
from lab.daemons import Balancer, ServicePlan
from lab.measure import RunningLoad
from lab.processes import wait_until
from lab.topology import BALANCER_ADDRESS, VIP, BackendPlan, as_ipv6
from lab.web import WebServer
from owned_port import EXCEPTION, TAP, TAP_DEVICE, drops_of, live_behind, owned_port_text, wire

MTU = 1500
NAT_VIP, SOURCE, VIP_IPV6 = "198.51.100.61", "198.51.100.240", "2001:db8:100::10"
VIPS = (VIP, NAT_VIP, VIP_IPV6)
WEB = (BackendPlan("web-1", "10.0.1.11", 100), BackendPlan("web-2", "10.0.1.12", 100))
PLAIN = BackendPlan("plain-1", "10.0.1.21", 100, plain=True)
TOPOLOGY = {"backends": (*WEB, PLAIN), "nat_sources": (SOURCE,)}
IPERF_PORT = 5201
NONE = '{ type = "none" }'
SERVICES = [
    ServicePlan(backends=WEB),
    ServicePlan(name="web6", vip=VIP_IPV6, backends=tuple(plan.by_ipv6() for plan in WEB)),
    ServicePlan(name="iperf", port=IPERF_PORT, backends=WEB[:1], probe=NONE),
    ServicePlan(name="shop", vip=NAT_VIP, forwarding="nat", backends=(PLAIN,)),
    ServicePlan(name="shop-iperf", vip=NAT_VIP, forwarding="nat", port=IPERF_PORT, backends=(PLAIN,), probe=NONE),
]
REQUESTS = 300


@pytest.fixture(scope="module")
def node(lab):
    """penstock-dp alone, an nginx beside it, and iperf3 on the servers and on the node itself."""
    made = Balancer(lab, FLAVOUR, owned_port_text(SERVICES, TAP_DEVICE, MTU, more=(f'exception = "{EXCEPTION}"',),
                                                  nat_sources=(SOURCE,)))
    made.start_decapsulators()
    made.start_dataplane()
    wire(lab)
    live_behind(lab, ipv6=True)
    lab.web["node"] = WebServer("node", lab.balancer, lab.folder / "node")
    for host in (lab.servers["web-1"], lab.servers["plain-1"], lab.balancer):
        lab.start(f"iperf-{host.host}", host, ["iperf3", "-s", "-p", str(IPERF_PORT)])
        wait_until("iperf3 listens", lambda host=host: str(IPERF_PORT) in host.run("ss", "-Hltn"), 10.0)
    return made


@pytest.fixture(scope="module")
def configured(node):
    node.start_controlplane()
    node.wait_in_step()
    node.wait_all_in_force({(name, plan.name) for name in ("web", "web6") for plan in WEB} | {("shop", PLAIN.name)})
    return node


def iperf(lab, address: str, *options: str) -> int:
    """Bytes that arrived."""
    said = lab.client.run("iperf3", "-c", address, "-p", str(IPERF_PORT), "-J", "-n", "4M", *options, limit_s=20)
    return json.loads(said)["end"]["sum_received"]["bytes"]


def test_the_kernel_answers_before_there_is_a_configuration(lab, node):
    """Without penstock-cp nothing is a VIP: an operator must be able to log in and start it."""
    said = lab.router.run("ping", "-c", "5", "-i", "0.2", "-W", "2", BALANCER_ADDRESS)
    assert "5 received" in said, said
    assert lab.balancer.mac_of(EXCEPTION) == lab.balancer.mac_of(TAP)
    assert lab.client.run("curl", "-sS", "-m", "10", f"http://{BALANCER_ADDRESS}/").strip() == "node"


def test_backends_come_up_and_serve(lab, configured):
    neighbours = lab.balancer.ip("neighbour", "show", "dev", EXCEPTION)
    neighbours += lab.balancer.ip("-6", "neighbour", "show", "dev", EXCEPTION)
    for address in (*(plan.address for plan in (*WEB, PLAIN)), *(plan.address_ipv6 for plan in WEB)):
        assert address in neighbours, neighbours
    for vip, names in ((VIP, {plan.name for plan in WEB}), (NAT_VIP, {PLAIN.name})):
        made = RunningLoad(lab, vip, requests=REQUESTS).wait(60)
        assert not made.failures(), made.failure_kinds()
        assert set(made.shares()) == names
    said = lab.client.run("curl", "-sS", "-m", "10", "-H", "Connection: close", f"http://[{VIP_IPV6}]/?[1-40]", limit_s=60)
    assert set(said.split()) == {plan.name for plan in WEB}
    assert len(said.split()) == 40


def test_both_live_beside_each_other(lab, configured):
    """The VIP is the workers', the node's own address the kernel's; what the kernel sends goes out as well."""
    for address in (VIP, VIP_IPV6, as_ipv6(BALANCER_ADDRESS)):
        assert "3 received" in lab.client.run("ping", "-c", "3", "-i", "0.2", "-W", "2", address)
    assert lab.client.run("curl", "-sS", "-m", "10", f"http://{BALANCER_ADDRESS}/").strip() == "node"
    said = lab.balancer.run("curl", "-sS", "-m", "10", "http://10.0.1.11/")
    assert said.strip() == "web-1", said
    before = configured.cli_json("stats")["totals"]["to_kernel_packets"]
    for way in ((), ("-R",)):
        assert iperf(lab, BALANCER_ADDRESS, *way) >= 1 << 20
    assert configured.cli_json("stats")["totals"]["to_kernel_packets"] > before


def test_the_largest_frames_pass_both_ways(lab, configured):
    for host, address in ((lab.client, BALANCER_ADDRESS), (lab.balancer, "10.0.1.11"), (lab.client, VIP)):
        said = host.run("ping", "-c", "3", "-i", "0.2", "-W", "2", "-s", str(MTU - 28), "-M", "do", address)
        assert "3 received" in said, said


def test_bulk_to_both_kinds_of_servers(lab, configured):
    for vip, ways in ((VIP, ((),)), (NAT_VIP, ((), ("-R",)))):
        for way in ways:
            assert iperf(lab, vip, *way) >= 1 << 20


def test_every_packet_is_accounted_for(configured):
    assert not drops_of(configured)
    assert_conserved(configured, least_packets=REQUESTS * 8)


def test_the_interface_goes_with_the_process(lab, configured):
    assert configured.dataplane is not None
    assert configured.dataplane.stop() == 0
    wait_until(f"{EXCEPTION} is gone", lambda: EXCEPTION not in lab.balancer.ip("link", "show"), 5.0)
