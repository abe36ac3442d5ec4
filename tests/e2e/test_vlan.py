# SPDX-License-Identifier: Apache-2.0
"""A port that stands in a VLAN, and one that keeps the tags of QinQ, with real stacks at both ends.

    client ── router ══ br0 ══ to-balancer: tag.bpf.c ══ eth1 ── nic0 ─► worker (─► edge0-k)
                         ╚═══ web-1, web-2, plain-1

tag.bpf.c puts tags on what goes to the balancer and takes them off again; a frame that comes back with others gets
nowhere. So whoever is answered was answered with the right tags.
"""

import pathlib
import subprocess

import pytest
from conftest import FLAVOUR
from conservation import assert_conserved
from lab.daemons import Balancer, ServicePlan
from lab.measure import RunningLoad
from lab.topology import BALANCER_ADDRESS, VIP, BackendPlan
from owned_port import EXCEPTION, TAP, TAP_DEVICE, drops_of, live_behind, owned_port_text, wire
from scapy.all import IP, UDP, Ether

MTU = 1500
NAT_VIP, SOURCE = "198.51.100.61", "198.51.100.240"
VIPS = (VIP, NAT_VIP)
WEB = (BackendPlan("web-1", "10.0.1.11", 100), BackendPlan("web-2", "10.0.1.12", 100))
PLAIN = BackendPlan("plain-1", "10.0.1.21", 100, plain=True)
TOPOLOGY = {"backends": (*WEB, PLAIN), "nat_sources": (SOURCE,)}
REQUESTS = 200
SEND = """
import socket, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
    link.bind((sys.argv[1], 0))
    for _ in range(int(sys.argv[2])):
        link.send(bytes.fromhex(sys.argv[3]))
"""


def services(probe: str) -> list[ServicePlan]:
    return [ServicePlan(backends=WEB, probe=probe),
            ServicePlan(name="shop", vip=NAT_VIP, forwarding="nat", backends=(PLAIN,), probe=probe)]


@pytest.fixture(scope="module")
def tags(lab):
    """Compiled; a function that makes the switch's port put on and take off `count` tags."""
    made = lab.folder / "tag.o"
    source = pathlib.Path(__file__).with_name("tag.bpf.c")
    subprocess.run(["clang-19", "-O2", "-g", "-target", "bpf", "-I/usr/include/x86_64-linux-gnu", "-c", source, "-o", made],
                   check=True, timeout=60)

    def put(count: str) -> None:
        lab.router.run("tc", "qdisc", "replace", "dev", "to-balancer", "clsact")
        for way, section in (("egress", f"tc/put_on_{count}"), ("ingress", f"tc/take_off_{count}")):
            lab.router.run("tc", "filter", "replace", "dev", "to-balancer", way, "prio", "1", "handle", "1", "bpf", "da",
                           "obj", str(made), "sec", section)

    return put


def serve(lab) -> None:
    for vip, names in ((VIP, {plan.name for plan in WEB}), (NAT_VIP, {PLAIN.name})):
        made = RunningLoad(lab, vip, requests=REQUESTS).wait(60)
        assert not made.failures(), made.failure_kinds()
        assert set(made.shares()) == names
        assert "3 received" in lab.client.run("ping", "-c", "3", "-i", "0.2", "-W", "2", vip)


def test_a_port_in_a_vlan_serves_clients_and_kernel(lab, tags):
    tags("one")
    more = (f'exception = "{EXCEPTION}"', "vlan = 10")
    node = Balancer(lab, FLAVOUR, owned_port_text(services('{ type = "tcp" }'), TAP_DEVICE, MTU, more=more,
                                                  nat_sources=(SOURCE,)))
    node.start_decapsulators()
    node.start_dataplane()
    wire(lab)
    live_behind(lab)
    node.start_controlplane()
    node.wait_in_step()
    # Probes and neighbours cross the exception path, which knows no tags.
    node.wait_all_in_force({("web", plan.name) for plan in WEB} | {("shop", PLAIN.name)})
    serve(lab)
    for host, address in ((lab.client, BALANCER_ADDRESS), (lab.balancer, "10.0.1.11")):
        said = host.run("ping", "-c", "3", "-i", "0.2", "-W", "2", "-s", str(MTU - 28), "-M", "do", address)
        assert "3 received" in said, said
    assert not drops_of(node)
    untagged = bytes(Ether(dst=lab.balancer.mac_of(TAP)) / IP(src="192.0.2.9", dst=VIP) / UDP(dport=80))
    lab.balancer.run("/usr/bin/python3", "-c", SEND, TAP, "7", untagged.hex())
    assert_conserved(node, least_packets=REQUESTS * 8)
    assert drops_of(node) == {"foreign_vlan": 7}
    assert node.controlplane is not None
    assert node.dataplane is not None
    assert node.controlplane.stop() == 0
    assert node.dataplane.stop() == 0


def test_two_tags_are_kept_as_they_come(lab, tags):
    """No kernel behind the port: it would not know the tags. VIPs are resolved on the link, servers are written down."""
    tags("two")
    for address in (*VIPS, SOURCE):
        lab.router.ip("route", "replace", address, "dev", "br0")
    neighbours = "".join(
        f'[[dataplane.neighbour]]\naddress = "{plan.address}"\nmac = "{lab.servers[plan.name].mac_of("eth0")}"\n'
        'port = "edge0"\n' for plan in (*WEB, PLAIN)
    )
    node = Balancer(lab, FLAVOUR, owned_port_text(
        services('{ type = "none" }'), TAP_DEVICE, MTU, more=(neighbours,), dataplane=f'tunnel_source = "{BALANCER_ADDRESS}"',
        nat_sources=(SOURCE,),
    ))
    (node.state / "applied.toml").unlink()  # the configuration of the test before
    node.start_dataplane()
    wire(lab)
    node.start_controlplane()
    node.wait_in_step()
    serve(lab)
    assert set(drops_of(node)) <= {"no_exception_path"}, "broadcasts that are not ours"
    assert_conserved(node, least_packets=REQUESTS * 8)
