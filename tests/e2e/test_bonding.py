# SPDX-License-Identifier: Apache-2.0
"""Two links as one by DPDK's bonding driver, in two of its modes, with real clients and the kernel behind.

    client ── router ══ br0 ══ eth1 ── member0 ╗
                         ╠════ eth2 ── member1 ╩═ net_bonding0 ─► worker ─► edge0-k: 10.0.1.2
                         ╚═══ web-1, web-2, web-3

That a cut link is replaced by the other is not shown: DPDK's TAP driver tells nobody when its link goes down.
"""

import pytest
from conftest import FLAVOUR
from conservation import assert_conserved
from lab.daemons import Balancer, ServicePlan
from lab.measure import RunningLoad
from lab.namespaces import link
from lab.topology import BACKENDS, BALANCER_ADDRESS, SERVER_MTU, VIP
from owned_port import EXCEPTION, live_behind, owned_port_text, wire

MEMBERS = {"member0": "eth1", "member1": "eth2"}
MADE = ", ".join(f'"--vdev=net_tap{number},iface={name}"' for number, name in enumerate(MEMBERS))
BOND = "net_bonding0,slave=net_tap0,slave=net_tap1"
MODES = {
    # One is spare.
    "active-backup": (f"{BOND},mode=1,primary=net_tap0", {"member0"}),
    # By the outer addresses, of which there are three.
    "balance": (f"{BOND},mode=2,xmit_policy=l34", {"member0", "member1"}),
}
REQUESTS = 300


@pytest.fixture(scope="module")
def second_link(lab):
    link(lab.balancer, "eth2", lab.router, "to-balancer2", SERVER_MTU)
    lab.router.ip("link", "set", "to-balancer2", "master", "br0")
    lab.router.ip("link", "set", "br0", "mtu", str(SERVER_MTU))


def start(lab, device: str) -> Balancer:
    text = owned_port_text([ServicePlan(backends=BACKENDS)], device, 1500, more=(f'exception = "{EXCEPTION}"',),
                           dataplane=f"eal_args = [{MADE}]")
    node = Balancer(lab, FLAVOUR, text)
    (node.state / "applied.toml").unlink(missing_ok=True)  # of the mode before
    node.start_dataplane()
    for member, interface in MEMBERS.items():
        wire(lab, interface, member)
    live_behind(lab)
    if not any(process.name.startswith("decap-") for process in lab.daemon_processes()):
        node.start_decapsulators()
    node.start_controlplane()
    node.wait_in_step()
    node.wait_all_in_force({("web", plan.name) for plan in BACKENDS})
    return node


def packets_from(lab, member: str) -> int:
    """That the workers sent by it: what a TAP is given, its interface receives."""
    return int(lab.balancer.run("cat", f"/sys/class/net/{member}/statistics/rx_packets"))


@pytest.mark.parametrize("mode", MODES)
def test_clients_and_kernel_are_served_by_both_links(lab, second_link, mode):
    device, carriers = MODES[mode]
    node = start(lab, device)
    before = {member: packets_from(lab, member) for member in MEMBERS}
    made = RunningLoad(lab, VIP, requests=REQUESTS).wait(60)
    assert not made.failures(), made.failure_kinds()
    assert set(made.shares()) == {plan.name for plan in BACKENDS}
    sent = {member: packets_from(lab, member) - before[member] for member in MEMBERS}
    assert {member for member, packets in sent.items() if packets > REQUESTS / 2} == carriers, sent
    assert sum(sent.values()) >= REQUESTS * 4, sent
    assert "3 received" in lab.client.run("ping", "-c", "3", "-i", "0.2", "-W", "2", BALANCER_ADDRESS)
    assert_conserved(node, least_packets=REQUESTS * 4)
    assert node.controlplane is not None
    assert node.dataplane is not None
    assert node.controlplane.stop() == 0
    assert node.dataplane.stop() == 0
