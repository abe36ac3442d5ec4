# SPDX-License-Identifier: Apache-2.0
"""New configurations under load, and bad ones that must change nothing.

    client ── router ══ br0 ══ balancer: penstock apply, SIGHUP
                         ╚═══ web-1, web-2, web-3
"""

import os
import signal

import pytest
from lab.daemons import ServicePlan, configuration_text
from lab.measure import RunningLoad
from lab.processes import wait_until
from lab.topology import VIP, BackendPlan

RELOADS = int(os.environ.get("PENSTOCK_RELOADS", "20"))


def weighted(lab, first_weight: int) -> str:
    first, *others = lab.backends
    return configuration_text([ServicePlan(backends=(BackendPlan(first.name, first.address, first_weight), *others))])


def test_reloads_under_load_lose_nothing(lab, balancer):
    first = balancer.cli_json("status")["generation"]["live"]
    load = RunningLoad(lab, VIP, rate=150)
    for number in range(RELOADS):
        balancer.write(weighted(lab, 90 if number % 2 == 0 else 100))
        reply = balancer.cli_json("apply", str(balancer.file))
        assert reply["result"] == "live", reply
    made = load.finish()
    assert not made.failures(), made.failure_kinds()
    assert balancer.cli_json("status")["generation"]["live"] >= first + RELOADS


def test_apply_that_nobody_confirms_comes_back_under_load(lab, balancer):
    before = balancer.backend(lab.backends[0].name)["weight"]
    load = RunningLoad(lab, VIP, rate=150)
    balancer.write(weighted(lab, before - 7))
    reply = balancer.cli_json("apply", "--confirm", "2s", str(balancer.file))
    assert reply["result"] == "live" and reply["confirmation"]
    assert balancer.backend(lab.backends[0].name)["weight"] == before - 7
    wait_until("the way back", lambda: balancer.backend(lab.backends[0].name)["weight"] == before, 10.0)
    made = load.finish()
    assert not made.failures(), made.failure_kinds()
    newest = balancer.cli_json("history")["history"][0]
    assert newest["source"] == "not-confirmed"


def test_diff_sees_live_flows_and_changes_nothing(lab, balancer):
    generation = balancer.cli_json("status")["generation"]
    load = RunningLoad(lab, VIP, rate=150)
    wait_until("flows", lambda: balancer.cli_json("stats")["totals"]["flows"] > 20, 10.0)
    first, *others = lab.backends
    balancer.write(configuration_text([ServicePlan(backends=tuple(others))]))
    plan = balancer.cli_json("diff", str(balancer.file))
    assert not load.finish().failures()
    assert plan["flows"] > 0 and plan["flows_cut"] == 0 and 0 < plan["flows_drained"] < plan["flows"]
    assert plan["services"][0]["backends"][0]["name"] == first.name
    assert 0.25 < plan["moved_share"] < 0.5, "the slots of one of three, and few others"
    assert balancer.cli_json("status")["generation"] == generation


def test_sighup_takes_the_file(lab, balancer):
    before = balancer.cli_json("status")["generation"]["desired"]
    balancer.write(weighted(lab, 70))
    balancer.controlplane.signal(signal.SIGHUP)
    wait_until("SIGHUP", lambda: balancer.api.get("/v1/status")["generation"]["desired"] > before, 10.0)
    assert balancer.backend(lab.backends[0].name)["weight"] == 70
    assert balancer.cli_json("status")["last_reload"]["source"] == "sighup"


BAD_LINES = {
    "unknown key": ('weight = 100 }', 'wieght = 100 }'),
    "weight out of range": ("weight = 100 }", "weight = 65536 }"),
    "not an address": ('"10.0.1.12"', '"10.0.1.256"'),
    "duplicate backend": ('name = "web-2"', 'name = "web-1"'),
    "not TOML": ("[node]", "[node"),
}


@pytest.mark.parametrize("what", sorted(BAD_LINES))
def test_a_bad_file_changes_nothing(lab, balancer, what):
    good, bad = BAD_LINES[what]
    before = balancer.cli_json("status")["generation"]
    text = weighted(lab, 100)
    assert good in text
    broken = lab.folder / "broken.toml"
    broken.write_text(text.replace(good, bad, 1))
    answer = balancer.cli("apply", str(broken))
    assert answer.returncode == 1
    assert "broken.toml:" in answer.stderr, "file, line and column"
    assert "^" in answer.stderr, "a caret"
    assert balancer.cli_json("status")["generation"] == before
    assert "web-" in lab.client.run("curl", "-sS", "-m", "5", f"http://{VIP}/")


def test_a_bad_file_on_sighup_changes_nothing_and_is_reported(lab, balancer):
    before = balancer.cli_json("status")["generation"]
    newest = balancer.newest_event()
    balancer.write("[node\n")
    balancer.controlplane.signal(signal.SIGHUP)
    balancer.wait_event("config-invalid", newest, 10.0)
    status = balancer.cli_json("status")
    assert status["generation"] == before
    assert status["configuration"]["file_state"] == "differs"
    assert status["problems"]
    balancer.write(weighted(lab, 100))
    assert balancer.cli_json("apply", str(balancer.file))["result"] == "live"
