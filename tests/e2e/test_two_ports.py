# SPDX-License-Identifier: Apache-2.0
"""In by one port, out by another: the kernel's routes say which, backend by backend.

    client ── router ══ br0 ══ eth1: VIPs come here ══ balancer ══ eth2: web-1 and web-2 are reached here ══ br0
                         ╚═══ web-1, web-2, web-3
"""

import pytest
from conftest import FLAVOUR
from conservation import assert_conserved
from lab.daemons import Balancer, ServicePlan, configuration_text
from lab.measure import RunningLoad
from lab.namespaces import link
from lab.topology import BACKENDS, SERVER_MTU, VIP

REQUESTS = 500
PORTS = 'interface = "eth1"\n[[dataplane.port]]\nname = "inner0"\ninterface = "eth2"'


@pytest.fixture(scope="module")
def node(lab):
    host = lab.balancer
    link(host, "eth2", lab.router, "to-balancer2", SERVER_MTU)
    lab.router.ip("link", "set", "to-balancer2", "master", "br0")
    lab.router.ip("link", "set", "br0", "mtu", str(SERVER_MTU))
    host.sysctl("net.ipv4.conf.all.arp_ignore", "1")  # eth2 does not answer for eth1
    for plan in BACKENDS[:2]:
        host.ip("route", "add", plan.address, "dev", "eth2", "src", "10.0.1.2")
    made = Balancer(lab, FLAVOUR, configuration_text([ServicePlan(backends=BACKENDS)], port=PORTS))
    made.start()
    made.wait_all_in_force({("web", plan.name) for plan in BACKENDS})
    return made


def frames(lab, interface: str, counter: str) -> int:
    return int(lab.router.run("cat", f"/sys/class/net/{interface}/statistics/{counter}_packets"))


def test_each_backend_is_reached_by_its_own_port(lab, node):
    ways = {plan.name: "inner0" if plan in BACKENDS[:2] else "edge0" for plan in BACKENDS}
    assert {plan.name: node.backend(plan.name)["next_hop"] for plan in BACKENDS} == dict.fromkeys(ways, "resolved")
    before = {name: frames(lab, name, "rx") for name in ("to-balancer", "to-balancer2")}
    made = RunningLoad(lab, VIP, requests=REQUESTS).wait(60)
    assert not made.failures(), made.failure_kinds()
    shares = made.shares()
    assert set(shares) == set(ways)
    # Four packets of a client for each request; probes and ARP come on top.
    for port, name in (("edge0", "to-balancer"), ("inner0", "to-balancer2")):
        share = sum(shares[backend] for backend, way in ways.items() if way == port)
        expected = share * REQUESTS * 4
        sent = frames(lab, name, "rx") - before[name]
        assert expected <= sent <= expected * 2 + 100, (port, shares)


def test_every_packet_is_accounted_for(node):
    assert not [drop for drop in node.cli_json("drops")["drops"] if drop["packets"]]
    assert_conserved(node, least_packets=REQUESTS * 4)
