# SPDX-License-Identifier: Apache-2.0
"""HTTP through the VIP: spread by weight, nothing lost, every packet accounted for.

    client ── router ══ br0 ══ balancer (VIP by AF_XDP)
                         ╚═══ web-1, web-2, web-3 (weights 100, 100, 50): decapsulate, answer the client directly
"""

from conservation import assert_conserved
from lab.measure import RunningLoad
from lab.topology import BALANCER_INTERFACE, VIP

REQUESTS = 4000

ARP_FOR_VIP = f"""
import logging; logging.getLogger("scapy").setLevel(logging.CRITICAL)
from scapy.all import ARP, Ether, srp
answered, _ = srp(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst="{VIP}"), iface="br0", timeout=2, multi=True, verbose=0)
print(" ".join(sorted(answer.hwsrc for _, answer in answered)))
"""


def test_requests_spread_by_weight_and_none_fails(lab, balancer):
    made = RunningLoad(lab, VIP, requests=REQUESTS).wait(120)
    assert not made.failures(), made.failure_kinds()
    assert len(made) == REQUESTS
    total = sum(plan.weight for plan in lab.backends)
    for plan in lab.backends:
        # Four standard deviations of a fair draw, and what a table of 65,537 slots rounds.
        assert abs(made.shares()[plan.name] - plan.weight / total) < 0.035, made.shares()


def test_every_packet_is_accounted_for(balancer):
    assert_conserved(balancer, least_packets=REQUESTS * 4)


def test_counters_of_service_and_backends_agree(balancer):
    stats = balancer.cli_json("stats")
    service = next(entry for entry in stats["services"] if entry["service"] == "web")
    assert service["new_flows"] >= REQUESTS
    for member in ("packets", "new_flows"):
        assert service[member] == sum(entry[member] for entry in stats["backends"] if entry["service"] == "web")


def test_no_request_was_dropped(balancer):
    drops = {drop["reason"]: drop["packets"] for drop in balancer.cli_json("drops")["drops"] if drop["packets"]}
    assert not drops, drops


def test_replies_bypass_the_balancer(lab, balancer):
    """Direct server return: a download crosses the balancer only as acknowledgements."""
    before = balancer.cli_json("stats")["totals"]
    size = int(lab.client.run("curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}", f"http://{VIP}/slow", limit_s=60))
    after = balancer.cli_json("stats")["totals"]
    assert size > 1_000_000
    assert after["tx_bytes"] - before["tx_bytes"] < size / 2


def test_vip_answers_ping(lab, balancer):
    said = lab.client.run("ping", "-c", "5", "-i", "0.2", "-W", "2", VIP)
    assert "5 received" in said


def test_vip_answers_arp_once_and_with_our_address(lab, balancer):
    said = lab.router.run("/usr/bin/python3", "-c", ARP_FOR_VIP)
    assert said.split() == [lab.balancer.mac_of(BALANCER_INTERFACE)]


def test_kernel_keeps_its_own_traffic(lab, balancer):
    assert "3 received" in lab.router.run("ping", "-c", "3", "-i", "0.2", "-W", "2", "10.0.1.2")


def test_a_port_without_service_is_a_named_drop(lab, balancer):
    lab.client.run("sh", "-c", f"! curl -sS -m 2 http://{VIP}:81/")
    drops = {drop["reason"]: drop["packets"] for drop in balancer.cli_json("drops")["drops"]}
    assert drops["no_service"] >= 1
    assert_conserved(balancer, least_packets=1)
