# SPDX-License-Identifier: Apache-2.0
"""kill -9 of penstock-cp under load: forwarding goes on, the restarted one reconciles.

    client ── router ══ br0 ══ balancer: penstock-dp (untouched), penstock-cp (killed, started again)
                         ╚═══ web-1, web-2, web-3
"""

import time

from lab.measure import RunningLoad
from lab.topology import VIP


def test_kill_of_the_control_plane_loses_nothing(lab, balancer):
    before = balancer.cli_json("status")
    balancer.cli_json("backend", "drain", "web/web-3")
    load = RunningLoad(lab, VIP, rate=200)
    balancer.controlplane.kill()
    assert balancer.cli("status").returncode == 3, "the CLI says that it cannot be reached"
    time.sleep(2.0)
    balancer.start_controlplane()
    balancer.wait_in_step()
    balancer.wait_all_up()
    time.sleep(1.0)
    made = load.finish()
    assert not made.failures(), made.failure_kinds()
    after = balancer.cli_json("status")
    assert after["instance"] != before["instance"]
    assert after["dataplane"]["instance"] == before["dataplane"]["instance"], "penstock-dp was not restarted"
    assert after["generation"]["live"] >= before["generation"]["live"], "generations never go back"


def test_the_override_survived(balancer):
    assert balancer.backend("web-3")["admin"] == "drain"
    assert balancer.cli_json("backend", "enable", "web/web-3")["result"] == "live"


def test_the_applied_configuration_runs_not_the_edited_file(lab, balancer):
    text = balancer.file.read_text()
    balancer.write(text.replace("weight = 50", "weight = 1"))
    balancer.controlplane.kill()
    balancer.start_controlplane()
    balancer.wait_in_step()
    assert balancer.backend("web-3")["weight"] == 50
    assert balancer.cli_json("status")["configuration"]["file_state"] == "differs"
    balancer.write(text)


def test_sigterm_ends_it_cleanly(balancer):
    started = time.monotonic()
    assert balancer.controlplane.stop() == 0
    assert time.monotonic() - started < 5.0
    assert not (balancer.runtime / "control.sock").exists()
    balancer.start_controlplane()
    balancer.wait_in_step()
