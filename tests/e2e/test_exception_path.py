# SPDX-License-Identifier: Apache-2.0
"""A port that DPDK owns, and the kernel behind it: everything but VIP traffic crosses the exception path.

    client ── router ══ br0 ══ eth1, DPDK's (net_af_packet) ─► worker ─► edge0-k: 10.0.1.2, the kernel's
                         ╚═══ web-1, web-2, web-3

The kernel sees eth1 too, so nftables closes its eyes: what it hears and says, it hears and says by edge0-k. Probes,
routes and neighbours of the backends go that way as well, so a backend that is up proves both directions.
"""

import os

import pytest
from conservation import assert_conserved
from lab.daemons import Balancer, ServicePlan, configuration_text
from lab.measure import RunningLoad
from lab.processes import wait_until
from lab.topology import BALANCER_ADDRESS, BALANCER_INTERFACE, SERVER_MTU, VIP

EXCEPTION = "edge0-k"
FLAVOUR = os.environ.get("PENSTOCK_FLAVOUR", "debug")
REQUESTS = 300

CLOSED_EYES = f"""
table netdev only-dpdk {{
  chain heard {{ type filter hook ingress device {BALANCER_INTERFACE} priority 0; policy drop; }}
}}
"""


def settings(lab) -> str:
    text = configuration_text([ServicePlan(backends=lab.backends)])
    interface = f'interface = "{BALANCER_INTERFACE}"'
    assert interface in text
    device = f'device = "net_af_packet0,iface={BALANCER_INTERFACE}"\nexception = "{EXCEPTION}"\nmtu = {SERVER_MTU}'
    return text.replace(interface, device)


@pytest.fixture(scope="module")
def node(lab):
    host = lab.balancer
    host.ip("address", "flush", "dev", BALANCER_INTERFACE)
    rules = lab.folder / "closed-eyes.nft"
    rules.write_text(CLOSED_EYES)
    host.run("nft", "-f", str(rules))
    made = Balancer(lab, FLAVOUR, settings(lab))
    made.start_decapsulators()
    made.start_dataplane()
    host.add_address(EXCEPTION, f"{BALANCER_ADDRESS}/24")
    host.ip("route", "add", "default", "via", "10.0.1.1")
    return made


def test_the_kernel_answers_before_there_is_a_configuration(lab, node):
    """Without penstock-cp nothing is a VIP: an operator must be able to log in and start it."""
    said = lab.router.run("ping", "-c", "5", "-i", "0.2", "-W", "2", BALANCER_ADDRESS)
    assert "5 received" in said, said
    assert lab.balancer.mac_of(EXCEPTION) == lab.balancer.mac_of(BALANCER_INTERFACE)


def test_backends_come_up_and_serve(lab, node):
    node.start_controlplane()
    node.wait_in_step()
    node.wait_all_up()
    neighbours = lab.balancer.ip("neighbour", "show", "dev", EXCEPTION)
    for plan in lab.backends:
        assert plan.address in neighbours, neighbours
    made = RunningLoad(lab, VIP, requests=REQUESTS).wait(60)
    assert not made.failures(), made.failure_kinds()
    assert set(made.shares()) == {plan.name for plan in lab.backends}


def test_both_live_beside_each_other(lab, node):
    """The VIP is the workers', the node's own address the kernel's; large packets of the kernel's too."""
    assert "3 received" in lab.client.run("ping", "-c", "3", "-i", "0.2", "-W", "2", VIP)
    said = lab.balancer.run("ping", "-c", "3", "-i", "0.2", "-W", "2", "-s", "1472", "-M", "do", "10.0.1.11")
    assert "3 received" in said, said
    drops = {drop["reason"]: drop["packets"] for drop in node.cli_json("drops")["drops"] if drop["packets"]}
    assert "no_exception_path" not in drops, drops
    assert node.cli_json("stats")["totals"]["to_kernel_packets"] > 0
    assert_conserved(node, least_packets=REQUESTS * 4)


def test_the_interface_goes_with_the_process(lab, node):
    assert node.dataplane is not None
    assert node.dataplane.stop() == 0
    wait_until(f"{EXCEPTION} is gone", lambda: EXCEPTION not in lab.balancer.ip("link", "show"), 5.0)
