# SPDX-License-Identifier: Apache-2.0
"""NAT with two workers, in front of servers that never heard of us: no VIP, no tunnel, nginx as it comes.

    client ── router ══ br0 ══ eth1, DPDK's, two queues (owned_port.py) ─► two workers
                         ╚═══ plain-1, plain-2

The kernel spreads packets over the queues by their own addresses and ports, so half of the replies reach the worker
that does not own the flow, and cross the ring between the two.
"""

import collections
import json
import pathlib
import sys

import pytest
from conftest import FLAVOUR
from conservation import assert_conserved
from lab.daemons import Balancer, ServicePlan
from lab.processes import wait_until
from lab.topology import CLIENT_ADDRESSES, BackendPlan
from owned_port import EXCEPTION, PACKET_MTU, close_eyes, drops_of, live_behind, owned_port_text, packet_device

IPERF_PORT, SINK_PORT, CLOSED_PORT = 5201, 9999, 9998
VIP = "198.51.100.61"
VIPS = (VIP,)
SOURCE = "198.51.100.240"
BACKENDS = (BackendPlan("plain-1", "10.0.1.21", 100, plain=True), BackendPlan("plain-2", "10.0.1.22", 100, plain=True))
TOPOLOGY = {"backends": BACKENDS, "nat_sources": (SOURCE,)}
ONE = {"vip": VIP, "forwarding": "nat", "backends": BACKENDS[:1], "probe": '{ type = "none" }'}
SERVICES = [
    ServicePlan(name="web", vip=VIP, forwarding="nat", backends=BACKENDS),
    ServicePlan(name="iperf", port=IPERF_PORT, **ONE),
    ServicePlan(name="iperf-udp", port=IPERF_PORT, protocol="udp", **ONE),
    ServicePlan(name="sink", port=SINK_PORT, protocol="udp", **ONE),
    ServicePlan(name="closed", port=CLOSED_PORT, protocol="udp", **ONE),
]
REQUESTS = 200
PORTS = 64_512  # of one source towards one backend, of all workers
SINK = f"import socket, time; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', {SINK_PORT})); time.sleep(600)"

REFUSED = 16
ASK_CLOSED = f"""
import socket
refused = 0
for _ in range({REFUSED}):
    with socket.socket(type=socket.SOCK_DGRAM) as link:
        link.settimeout(2)
        link.connect(('{VIP}', {CLOSED_PORT}))
        link.send(b'anybody?')
        try:
            link.recv(100)
        except ConnectionRefusedError:
            refused += 1
print(refused)
"""


@pytest.fixture(scope="module")
def node(lab):
    close_eyes(lab)
    text = owned_port_text(SERVICES, packet_device(2), PACKET_MTU, more=(f'exception = "{EXCEPTION}"',), workers=2,
                           nat_sources=(SOURCE,))
    made = Balancer(lab, FLAVOUR, text)
    made.start_dataplane()
    live_behind(lab)
    made.start_controlplane()
    made.wait_in_step()
    made.wait_all_in_force({("web", plan.name) for plan in BACKENDS})
    plain = lab.servers["plain-1"]
    lab.start("iperf", plain, ["iperf3", "-s", "-p", str(IPERF_PORT)])
    # Somebody listens, or the server would answer every flow by an ICMP error.
    lab.start("sink", plain, [sys.executable, "-c", SINK])
    wait_until("iperf3 listens", lambda: str(IPERF_PORT) in plain.run("ss", "-Hltn"), 10.0)
    wait_until("the sink listens", lambda: str(SINK_PORT) in plain.run("ss", "-Hlun"), 10.0)
    return made


def iperf(lab, *options: str) -> dict:
    return json.loads(lab.client.run("iperf3", "-c", VIP, "-p", str(IPERF_PORT), "-J", *options, limit_s=20))["end"]


def fetch(lab, requests: int) -> collections.Counter:
    said = lab.client.run("curl", "-sS", "-m", "10", "-H", "Connection: close", f"http://{VIP}/?[1-{requests}]", limit_s=60)
    return collections.Counter(said.split())


def test_replies_cross_the_ring_to_the_worker_that_owns_the_flow(lab, node):
    answers = fetch(lab, REQUESTS)
    assert set(answers) == {"plain-1", "plain-2"}
    assert answers.total() == REQUESTS
    workers = node.cli_json("stats")["workers"]
    assert len(workers) == 2
    for worker in workers:
        # Each owns flows, and each gets replies of the other one's.
        assert worker["nat_replies"] > REQUESTS / 2, workers
        assert worker["handed_over"] > REQUESTS / 4, workers
    assert not drops_of(node)
    assert_conserved(node, least_packets=REQUESTS * 8)


def test_the_server_sees_a_source_of_ours_and_never_the_client(lab, node):
    capture = lab.start("capture", lab.servers["plain-1"],
                        ["tcpdump", "-nni", "eth0", "-c", "5", "--immediate-mode", "tcp", "dst", "port", "80"])
    wait_until("tcpdump listens", lambda: "listening" in capture.log_text(), 10.0, process=capture)
    fetch(lab, 20)
    assert capture.wait(10.0) == 0, capture.log_text()
    seen = [line for line in capture.log_text().splitlines() if "> 10.0.1.21.80" in line]
    assert len(seen) == 5
    # The probes of the node come from its own address.
    assert any(f"IP {SOURCE}." in line for line in seen), seen
    assert not any(client in line for line in seen for client in CLIENT_ADDRESSES), seen


@pytest.mark.parametrize("way", [(), ("-R",)], ids=("upload", "download"))
def test_bulk_both_ways(lab, node, way):
    before = node.cli_json("stats")["totals"]["handed_over"]
    # Four connections: that none of them crosses is one case in sixteen, that none of two runs does one in 256.
    assert iperf(lab, "-n", "4M", "-P", "4", *way)["sum_received"]["bytes"] >= 1 << 20
    end = iperf(lab, "-u", "-b", "20M", "-l", "1200", "-n", "600K", *way)["sum"]
    assert end["packets"] >= 500
    assert end["lost_packets"] == 0
    assert not drops_of(node)
    assert node.cli_json("stats")["totals"]["handed_over"] > before


def test_a_servers_icmp_error_finds_its_client_from_either_worker(lab, node):
    """It is spread by addresses alone, so for half of the flows by the wrong worker, and quotes a port of ours."""
    lab.servers["plain-1"].sysctl("net.ipv4.icmp_ratelimit", "0")
    assert int(lab.client.run(sys.executable, "-c", ASK_CLOSED, limit_s=40)) == REFUSED
    assert not drops_of(node)


def test_ports_run_out_as_a_named_drop_and_a_gauge(lab, node):
    script = pathlib.Path(__file__).with_name("open_flows.py")

    def are_exhausted() -> bool:
        return all(worker["nat_pool_fullest"] == worker["nat_pool_ports"] for worker in node.cli_json("stats")["workers"])

    opened = 0
    for client in CLIENT_ADDRESSES:
        lab.client.run(sys.executable, str(script), client, "10000", "12000", VIP, str(SINK_PORT), limit_s=30.0)
        opened += 12_000
        if are_exhausted() and "nat_ports_exhausted" in drops_of(node):
            break
    workers = node.cli_json("stats")["workers"]
    assert are_exhausted(), workers
    assert opened > PORTS
    assert sum(worker["nat_pool_ports"] for worker in workers) == PORTS
    assert set(drops_of(node)) == {"nat_ports_exhausted"}
    assert "nat_ports_exhausted" in node.cli("drops").stdout
    # Every backend is a pool of its own: others go on.
    assert fetch(lab, 40).total() == 40
    assert_conserved(node, least_packets=PORTS)
