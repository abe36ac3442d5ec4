# SPDX-License-Identifier: Apache-2.0
"""Probes through the data path: a server without the VIP looks well and serves nobody.

    client ── router ══ br0 ══ balancer: TCP probes of the VIP, by way of each backend (via = "vip")
                         ╚═══ web-1, web-2 (loses the VIP), web-3
"""

from lab.daemons import ServicePlan
from lab.topology import BACKENDS, VIP

PROBE = '{ type = "tcp", via = "vip", interval = "500ms", timeout = "300ms", fall = 3, rise = 2 }'
SERVICES = [ServicePlan(backends=BACKENDS, probe=PROBE)]
VICTIM = "web-2"


def test_a_server_without_the_vip_is_found_and_comes_back(lab, balancer):
    server = lab.servers[VICTIM]
    before = balancer.newest_event()
    server.ip("address", "del", f"{VIP}/32", "dev", "lo")
    event = balancer.wait_event("backend-health", before, 20.0, backend=VICTIM, to="down")
    assert event["reason"], "an operator wants to know why"
    for other in lab.servers:
        assert balancer.backend(other)["health"] == ("down" if other == VICTIM else "up")
    before = balancer.newest_event()
    server.ip("address", "add", f"{VIP}/32", "dev", "lo")
    balancer.wait_event("backend-health", before, 20.0, backend=VICTIM, to="up")


def test_a_server_without_a_decapsulator_is_found(lab, balancer):
    before = balancer.newest_event()
    balancer.decaps["web-3"].stop()
    balancer.wait_event("backend-health", before, 20.0, backend="web-3", to="down")
    assert balancer.backend("web-1")["health"] == "up"
