# SPDX-License-Identifier: Apache-2.0
"""A web server dies and returns under load.

    client ── router ══ br0 ══ balancer: HTTP probes every 500 ms, fall 3, rise 2
                         ╚═══ web-1, web-2 (killed, started again), web-3
"""

import time

from conservation import assert_conserved
from lab.daemons import event_time_ns
from lab.measure import RunningLoad
from lab.topology import VIP

VICTIM = "web-2"


def test_a_dead_server_costs_only_until_it_is_detected(lab, balancer):
    load = RunningLoad(lab, VIP, rate=200)
    time.sleep(1.0)
    before = balancer.newest_event()
    killed_ns = time.time_ns()
    lab.web[VICTIM].kill()
    event = balancer.wait_event("backend-health", before, 20.0, backend=VICTIM, to="down")
    live_ns = balancer.wait_health_live(VICTIM, "down", before)
    time.sleep(2.0)
    made = load.finish()
    failed = made.failures()
    assert failed, "the load never met the dead server: this test proves nothing"
    assert not failed.started_from(live_ns), failed.started_from(live_ns)[:5]
    assert not failed.started_before(killed_ns - 1_000_000_000)
    # Three probes of 500 ms and their jitter; the rest is a busy machine.
    assert (event_time_ns(event) - killed_ns) / 1e9 < 6.0
    assert event["reason"], "an operator wants to know why"
    assert VICTIM not in made.started_from(live_ns).shares()


def test_status_says_what_is_wrong(balancer):
    status = balancer.cli_json("status")
    assert status["backends"]["down"] == 1
    assert any("web" in problem or VICTIM in problem for problem in [*status["problems"], *service_reasons(balancer)])


def service_reasons(balancer) -> list[str]:
    return [service["reason"] or "" for service in balancer.cli_json("service", "list")["services"]]


def test_a_returned_server_gets_traffic_and_nothing_fails(lab, balancer):
    load = RunningLoad(lab, VIP, rate=200)
    before = balancer.newest_event()
    lab.web[VICTIM].restart()
    back_ns = balancer.wait_health_live(VICTIM, "up", before)
    time.sleep(3.0)
    made = load.finish()
    assert not made.failures(), made.failure_kinds()
    assert made.started_from(back_ns).shares()[VICTIM] > 0.25


def test_without_any_server_packets_are_dropped_by_name(lab, balancer):
    for server in lab.web.values():
        server.kill()
    for name in lab.web:
        balancer.wait_eligible(name, eligible=False)
    lab.client.run("sh", "-c", f"! curl -sS -m 2 http://{VIP}/")
    drops = {drop["reason"]: drop["packets"] for drop in balancer.cli_json("drops")["drops"]}
    assert drops["no_backend"] >= 1
    assert balancer.cli_json("service", "show", "web")["state"] == "down"
    for server in lab.web.values():
        server.restart()
    for name in lab.web:
        balancer.wait_eligible(name, eligible=True)
    assert "web-" in lab.client.run("curl", "-sS", "-m", "5", f"http://{VIP}/")
    assert_conserved(balancer, least_packets=100)
