# SPDX-License-Identifier: Apache-2.0
"""What penstock-dp and penstock-cp say when they cannot start: one line, exit code 1, nothing left behind.

    balancer: eth1 and nothing else; no daemon runs but the one under test
"""

import os
import shutil

import pytest
from conftest import FLAVOUR
from lab.daemons import Balancer, ServicePlan, configuration_text
from lab.topology import BALANCER_INTERFACE


@pytest.fixture(scope="module")
def idle(lab):
    """A balancer on which nothing was started."""
    return Balancer(lab, FLAVOUR, configuration_text([ServicePlan(backends=lab.backends)]))


def refuse(idle, name: str, command: list[str]) -> str:
    """Runs it to its end, checks the manner of its refusal and returns what it said."""
    process = idle.topology.start(f"refused-{name}", idle.topology.balancer, command)
    assert process.wait(30.0) == 1, process.log_text()
    said = process.log_text().strip()
    assert said, "a refusal without a word"
    assert not process.sanitizer_report(), said
    assert "xdp" not in idle.topology.balancer.ip("link", "show", BALANCER_INTERFACE)
    assert not (idle.runtime / "dataplane.sock").exists()
    return said


def only_line(said: str) -> str:
    """The one line for people that follows the log."""
    lines = said.splitlines()
    spoken = [line for line in lines if line.startswith("penstock-dp: ")]
    assert spoken == lines[-1:], said
    assert not [line for line in lines if line.startswith("EAL:")], said
    return lines[-1]


def with_text(idle, old: str, new: str) -> None:
    text = configuration_text([ServicePlan(backends=idle.topology.backends)])
    assert old in text
    idle.write(text.replace(old, new, 1))


WORKER = f"workers = [{max(os.sched_getaffinity(0))}]"
ENVIRONMENT = {
    "missing-interface": ('"eth1"', '"eth9"', "eth9"),
    "missing-lcore": (WORKER, "workers = [1000]", "1000"),
    "missing-device": ('interface = "eth1"', 'device = "0000:ff:1f.7"', "0000:ff:1f.7"),
}


@pytest.mark.parametrize("what", sorted(ENVIRONMENT))
def test_environment_errors_are_one_line(idle, what):
    old, new, named = ENVIRONMENT[what]
    with_text(idle, old, new)
    assert named in only_line(refuse(idle, what, idle.dataplane_command()))


def test_an_lcore_used_twice_is_refused_with_its_place(idle):
    core = max(os.sched_getaffinity(0))
    with_text(idle, WORKER, f"workers = [{core}, {core}]")
    said = refuse(idle, "lcore-twice", idle.dataplane_command())
    assert "penstock.toml:5:" in said


def test_an_unreadable_file_is_refused(idle):
    idle.file.unlink()
    for name, command in (("dp-file", idle.dataplane_command()), ("cp-file", idle.controlplane_command())):
        assert "penstock.toml" in refuse(idle, name, command)


def test_two_sockets_for_two_queues_or_a_refusal_that_names_ethtool(lab, idle):
    """A queue without a socket would lose what lands on it."""
    lab.balancer.ip("link", "add", "two0", "numrxqueues", "2", "numtxqueues", "2", "type", "veth", "peer", "name", "two1",
                    "numrxqueues", "2", "numtxqueues", "2")
    try:
        lab.balancer.ip("link", "set", "two0", "up")
        lab.balancer.ip("link", "set", "two1", "up")
        lab.balancer.run("ethtool", "-L", "two0", "rx", "2", "tx", "2")
        with_text(idle, '"eth1"', '"two0"')
        said = refuse(idle, "two-queues", idle.dataplane_command())
        assert "ethtool -L two0" in said
        assert "xdp" not in lab.balancer.ip("link", "show", "two0")
    finally:
        lab.balancer.ip("link", "del", "two0")


def test_without_root_it_says_so(lab, idle):
    with_text(idle, "[node]", "[node]")
    program = lab.folder / "penstock-dp"
    shutil.copy(idle.program("penstock-dp"), program)
    os.chmod(lab.folder, 0o755)
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(program), *idle.dataplane_command()[1:]]
    said = only_line(refuse(idle, "no-root", command))
    assert "root" in said or "CAP_" in said or "permission" in said.lower()


def test_usage_errors(idle):
    for name in ("penstock-dp", "penstock-cp"):
        process = idle.topology.start(f"usage-{name}", idle.topology.balancer, [idle.program(name), "--no-such-option"])
        assert process.wait(20.0) == 2, process.log_text()
        assert "no-such-option" in process.log_text()
