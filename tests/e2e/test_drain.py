# SPDX-License-Identifier: Apache-2.0
"""drain, disable, enable of a backend while a download runs through it.

    client ── router ══ br0 ══ balancer
                         ╚═══ web-1, web-2, web-3: one of them drained
"""

from lab.download import Download
from lab.measure import RunningLoad
from lab.topology import VIP


def test_a_drained_backend_keeps_its_download_and_gets_nothing_new(lab, balancer):
    with Download(lab, VIP) as download:
        name = download.backend()
        reply = balancer.cli_json("backend", "drain", f"web/{name}")
        assert (reply["result"], reply["admin"]) == ("live", "drain")
        balancer.wait_eligible(name, eligible=False)
        assert download.is_running(), "the download must outlast the drain"
        made = RunningLoad(lab, VIP, requests=800).wait(60)
        assert not made.failures(), made.failure_kinds()
        assert name not in made.shares()
        assert download.completed()
    assert balancer.cli_json("backend", "enable", f"web/{name}")["result"] == "live"
    made = RunningLoad(lab, VIP, requests=800).wait(60)
    assert name in made.shares()


def test_a_disabled_backend_gets_nothing(lab, balancer):
    with Download(lab, VIP) as download:
        name = download.backend()
        assert balancer.cli_json("backend", "disable", f"web/{name}")["admin"] == "disabled"
        balancer.wait_eligible(name, eligible=False)
        made = RunningLoad(lab, VIP, requests=400).wait(60)
        assert not made.failures(), made.failure_kinds()
        assert name not in made.shares()
    balancer.cli_json("backend", "enable", f"web/{name}")
    balancer.wait_eligible(name, eligible=True)


def test_unknown_names_are_refused_with_a_hint(balancer):
    answer = balancer.cli("backend", "drain", "web/web-9")
    assert answer.returncode == 1
    assert "web-9" in answer.stderr
