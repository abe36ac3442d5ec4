# SPDX-License-Identifier: Apache-2.0
"""Who may send, how much, and to whom: access lists, limits and affinity with real clients of eight addresses.

    client: 192.0.2.2 … .9 ── router ══ br0 ══ balancer: a VIP for each policy
                                         ╚═══ web-1, web-2, web-3
"""

import collections
import subprocess
import sys

import pytest
from conftest import FLAVOUR
from conservation import assert_conserved
from lab.daemons import Balancer, ServicePlan, configuration_text
from lab.topology import BACKENDS, CLIENT_ADDRESSES
from owned_port import drops_of

OPEN, DENYING, ALLOWING = "198.51.100.20", "198.51.100.21", "198.51.100.22"
SOURCE_RATE, SERVICE_RATE, FEW, FEW_EACH = "198.51.100.23", "198.51.100.24", "198.51.100.25", "198.51.100.26"
CLIENT, NETWORK, TUPLE = "198.51.100.27", "198.51.100.28", "198.51.100.29"
CLIENT_PORT, OF_CLIENT_PORT = "198.51.100.48/28", [f"198.51.100.{last}" for last in range(48, 60)]
VIPS = (OPEN, DENYING, ALLOWING, SOURCE_RATE, SERVICE_RATE, FEW, FEW_EACH, CLIENT, NETWORK, TUPLE, CLIENT_PORT)
BANNED, DENIED, *OTHERS = CLIENT_ADDRESSES
RATE, LIMIT, LIMIT_EACH = 5, 10, 2
POLICIES = {
    OPEN: (), TUPLE: (),
    DENYING: (f'deny = ["{DENIED}"]',),
    ALLOWING: (f'allow = ["{OTHERS[0]}", "{OTHERS[1]}/32"]',),
    SOURCE_RATE: (f"limit = {{ new_flows_per_second_per_source = {RATE}, source_prefix = 32 }}",),
    SERVICE_RATE: (f"limit = {{ new_flows_per_second = {RATE} }}",),
    FEW: (f"limit = {{ flows = {LIMIT} }}",),
    FEW_EACH: (f"limit = {{ flows_per_backend = {LIMIT_EACH} }}",),
    CLIENT: ('affinity = "client"',),
    NETWORK: ('affinity = "client"', "affinity_prefix = 24"),
    CLIENT_PORT: ('affinity = "client_port"',),
}
SERVICES = [ServicePlan(name=f"policy-{number}", vip=vip, backends=BACKENDS, more=more, probe='{ type = "none" }')
            for number, (vip, more) in enumerate(POLICIES.items())]

# curl would not bind its port again while the connection before is at its end.
ASK_FROM_PORT = """
import socket, sys
source, port, *vips = sys.argv[1:]
for vip in vips:
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        link.settimeout(10)
        link.bind((source, int(port)))
        link.connect((vip, 80))
        link.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        print(link.makefile("rb").read().split()[-1].decode())
"""


@pytest.fixture(scope="module")
def node(lab):
    made = Balancer(lab, FLAVOUR, f'{configuration_text(SERVICES)}\n[access]\ndeny = ["{BANNED}"]\n')
    made.start()
    return made


def ask(lab, source: str, vip: str, times: int = 1, limit_s: int = 10) -> list[str]:
    """The server that answered each request; empty where none did in time. All at once, each a connection."""
    command = lab.client.inside("curl", "-s", "-Z", "--parallel-immediate", "--parallel-max", "50", "-m", str(limit_s),
                                "-H", "Connection: close", "--interface", source, f"http://{vip}/?[1-{times}]")
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    words = answer.stdout.split()
    return words + [""] * (times - len(words))


def answered(lab, source: str, vip: str, times: int = 1, limit_s: int = 10) -> int:
    return sum(1 for name in ask(lab, source, vip, times, limit_s) if name)


def is_refused(lab, source: str, vip: str) -> bool:
    return answered(lab, source, vip, limit_s=1) == 0


@pytest.fixture
def counted(node):
    """The drops that a test made; none is left to explain at its end."""
    before = collections.Counter(drops_of(node))
    return lambda: dict(collections.Counter(drops_of(node)) - before)


def test_who_is_on_the_global_list_reaches_no_service(lab, node, counted):
    assert is_refused(lab, BANNED, OPEN)
    assert is_refused(lab, BANNED, CLIENT)
    assert set(counted()) == {"source_denied"}
    assert all(answered(lab, source, OPEN) for source in (DENIED, *OTHERS))


def test_a_services_own_list_is_its_own(lab, node, counted):
    assert is_refused(lab, DENIED, DENYING)
    assert set(counted()) == {"source_denied"}
    assert answered(lab, DENIED, OPEN) == 1
    assert answered(lab, OTHERS[0], DENYING) == 1


def test_who_is_not_allowed_is_dropped_for_that(lab, node, counted):
    assert all(answered(lab, source, ALLOWING) for source in OTHERS[:2])
    assert is_refused(lab, OTHERS[2], ALLOWING)
    assert set(counted()) == {"source_not_allowed"}


def test_a_noisy_source_meets_its_rate_and_others_do_not(lab, node, counted):
    # One second's worth at once, and what two seconds more bring to SYNs that are sent again.
    assert RATE <= answered(lab, OTHERS[0], SOURCE_RATE, 40, limit_s=2) <= 4 * RATE
    assert answered(lab, OTHERS[1], SOURCE_RATE, RATE) == RATE
    assert set(counted()) == {"source_flow_rate"}


def test_a_service_meets_its_rate_whoever_comes(lab, node, counted):
    served = [answered(lab, source, SERVICE_RATE, 20, limit_s=2) for source in OTHERS[:2]]
    assert RATE <= sum(served) <= 7 * RATE
    assert set(counted()) == {"service_flow_rate"}


def test_a_service_takes_so_many_flows_and_no_more(lab, node, counted):
    """Entries of closed connections still count, as they are still followed."""
    assert answered(lab, OTHERS[0], FEW, 30, limit_s=2) == LIMIT
    assert set(counted()) == {"service_flow_limit"}


def test_a_backend_takes_so_many_flows_and_no_more(lab, node, counted):
    served = collections.Counter(ask(lab, OTHERS[0], FEW_EACH, 30, limit_s=2))
    del served[""]
    assert served == dict.fromkeys((plan.name for plan in BACKENDS), LIMIT_EACH)
    assert set(counted()) == {"backend_flow_limit"}


def test_affinity_of_a_client_and_of_its_network(lab, node, counted):
    by_client = [set(ask(lab, source, CLIENT, 12)) for source in (DENIED, *OTHERS)]
    assert all(len(names) == 1 for names in by_client), by_client
    assert len(set.union(*by_client)) > 1, "clients are spread"
    assert len(set.union(*(set(ask(lab, source, NETWORK, 12)) for source in (DENIED, *OTHERS)))) == 1
    assert len(set(ask(lab, OTHERS[0], TUPLE, 30))) == len(BACKENDS), "without affinity each connection is spread"
    assert not counted()


def test_affinity_of_a_clients_address_and_port(lab, node, counted):
    """One port of a client's, to any address of the VIP, meets one server; its ports are spread."""
    servers = []
    for port in range(20000, 20008):
        said = lab.client.run(sys.executable, "-c", ASK_FROM_PORT, OTHERS[0], str(port), *OF_CLIENT_PORT).split()
        assert len(said) == len(OF_CLIENT_PORT)
        assert len(set(said)) == 1, (port, said)
        servers += said[:1]
    assert len(set(servers)) > 1, servers
    assert not counted()


def test_every_packet_is_accounted_for(node):
    assert_conserved(node, least_packets=500)
