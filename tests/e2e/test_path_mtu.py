# SPDX-License-Identifier: Apache-2.0
"""Path MTU discovery that really shrinks, with the kernel's TCP as client: no link takes an outer header beside 1500 bytes.

    client ── router ══ br0, 1500 bytes ══ balancer: VIPs
                 ║         ╚═══ web-1: near, by IPv4 and IPv6
                 ╚═════ 1400 bytes ═══ web-2: far
"""

import re

import pytest
from conservation import assert_conserved
from lab.daemons import ServicePlan
from lab.topology import BackendPlan

UPLOAD_BYTES = 400_000  # below nginx's limit of 1 MB
NEAR = BackendPlan("web-1", "10.0.1.11", 100)
FAR = BackendPlan("web-2", "10.0.2.12", 100, way_mtu=1400)
SERVICES = [
    ServicePlan(name="near", vip="198.51.100.10", backends=(NEAR,)),
    ServicePlan(name="near6", vip="2001:db8:100::10", backends=(NEAR.by_ipv6(),)),
    ServicePlan(name="far", vip="198.51.100.11", backends=(FAR,)),
]
VIPS = tuple(service.vip for service in SERVICES)
TOPOLOGY = {"backends": (NEAR, FAR), "server_mtu": 1500}
# What an outer header leaves of the smallest link: 20 bytes of IPv4, 40 of IPv6.
EXPECTED = {"near": 1500 - 20, "near6": 1500 - 40, "far": 1400 - 20}


def route_mtu(lab, vip: str) -> int | None:
    """What the client's kernel has learned for this destination."""
    found = re.search(r"\bmtu (\d+)", lab.client.ip("route", "get", vip))
    return int(found[1]) if found else None


def upload(lab, vip: str) -> str:
    body = lab.folder / "body"
    body.write_bytes(b"x" * UPLOAD_BYTES)
    host = f"[{vip}]" if ":" in vip else vip
    return lab.client.run("curl", "-sS", "-m", "20", "-H", "Expect:", "--data-binary", f"@{body}", "-w", " %{http_code}",
                          f"http://{host}/", limit_s=30)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_clients_route_shrinks_and_the_upload_completes(lab, balancer, service):
    assert route_mtu(lab, service.vip) is None
    assert upload(lab, service.vip).split() == [service.backends[0].name, "200"]
    assert route_mtu(lab, service.vip) == EXPECTED[service.name]


def test_every_packet_is_accounted_for(balancer):
    assert_conserved(balancer, least_packets=3 * UPLOAD_BYTES // 1500)
    assert balancer.cli_json("stats")["totals"]["replies"] >= 3, "somebody told the client"
