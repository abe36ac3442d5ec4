# SPDX-License-Identifier: Apache-2.0
"""Forwarding by destination MAC beside an IPIP service.

    client ── router ══ br0 ══ balancer: 198.51.100.10 by IPIP, 198.51.100.20 by l2dsr
                         ╚═══ web-1, web-2, web-3 (both VIPs on lo)
"""

from conservation import assert_conserved
from lab.daemons import ServicePlan
from lab.measure import RunningLoad
from lab.topology import BACKENDS, VIP

L2_VIP = "198.51.100.20"
VIPS = (VIP, L2_VIP)
SERVICES = [
    ServicePlan(backends=BACKENDS),
    ServicePlan(name="plain", vip=L2_VIP, forwarding="l2dsr", backends=BACKENDS, probe='{ type = "tcp" }'),
]


def test_both_modes_serve(lab, balancer):
    for vip in VIPS:
        made = RunningLoad(lab, vip, requests=1500).wait(60)
        assert not made.failures(), (vip, made.failure_kinds())
        assert set(made.shares()) == {plan.name for plan in BACKENDS}, vip
    assert_conserved(balancer, least_packets=1500 * 2 * 4)


def test_l2dsr_leaves_packets_as_they_were(lab, balancer):
    """No outer header: the server sees the VIP as destination of the frame's only IP header."""
    server = lab.servers["web-1"]
    capture = lab.start(
        "capture", server, ["tcpdump", "-nni", "eth0", "-c", "1", "--immediate-mode", "dst", "host", L2_VIP, "and", "tcp"]
    )
    RunningLoad(lab, L2_VIP, requests=200).wait(60)
    assert capture.wait(10.0) == 0
    assert f"> {L2_VIP}.80" in capture.log_text()
