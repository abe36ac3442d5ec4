# SPDX-License-Identifier: Apache-2.0
"""Probes through the data path: a server without the VIP looks well and serves nobody.

    client ── router ══ br0 ══ balancer: TCP probes of the VIP, by way of each backend (via = "vip")
                         ╚═══ web-1, web-2 (loses the VIP), web-3
"""

from lab.daemons import ServicePlan
from lab.topology import BACKENDS, VIP

PROBE = '{ type = "tcp", via = "vip", interval = "500ms", timeout = "300ms", fall = 3, rise = 2 }'
SERVICES = [
    ServicePlan(backends=BACKENDS, probe=PROBE),
    ServicePlan(name="gre", vip="198.51.100.11", forwarding="gre", backends=BACKENDS, probe=PROBE),
    ServicePlan(name="gue", vip="198.51.100.12", forwarding="gue", backends=BACKENDS, probe=PROBE),
    ServicePlan(name="bare", vip="198.51.100.13", forwarding="gue", more=("gue = { variant = 1, port = 6081 }",),
                backends=BACKENDS, probe=PROBE),
]
VIPS = tuple(service.vip for service in SERVICES)
VICTIM = "web-2"


def test_a_server_without_the_vip_is_found_and_comes_back(lab, balancer):
    server = lab.servers[VICTIM]
    before = balancer.newest_event()
    server.ip("address", "del", f"{VIP}/32", "dev", "lo")
    event = balancer.wait_event("backend-health", before, 20.0, service="web", backend=VICTIM, to="down")
    assert event["reason"], "an operator wants to know why"
    for other in lab.servers:
        assert balancer.backend(other)["health"] == ("down" if other == VICTIM else "up")
    before = balancer.newest_event()
    server.ip("address", "add", f"{VIP}/32", "dev", "lo")
    balancer.wait_event("backend-health", before, 20.0, service="web", backend=VICTIM, to="up")


def test_a_server_without_a_decapsulator_is_found(lab, balancer):
    before = balancer.newest_event()
    balancer.decaps["web-3"].stop()
    for service in SERVICES:
        balancer.wait_event("backend-health", before, 20.0, service=service.name, backend="web-3", to="down")
        assert balancer.backend("web-1", service.name)["health"] == "up"
