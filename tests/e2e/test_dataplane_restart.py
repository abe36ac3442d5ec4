# SPDX-License-Identifier: Apache-2.0
"""penstock-dp stops, is killed, starts again; a second instance must not harm the first.

    client ── router ══ br0 ══ balancer: penstock-dp (stopped, killed, doubled), penstock-cp (goes on)
                         ╚═══ web-1, web-2, web-3
"""

import contextlib
import time

from lab.daemons import SANITIZERS
from lab.download import Download
from lab.measure import RunningLoad
from lab.topology import BALANCER_INTERFACE, VIP


def serves(lab) -> bool:
    return "web-" in lab.client.run("curl", "-sS", "-m", "5", "--retry", "3", f"http://{VIP}/")


def test_a_second_instance_fails_and_harms_nothing(lab, balancer):
    load = RunningLoad(lab, VIP, rate=150)
    time.sleep(0.5)
    second = lab.start("second-dp", lab.balancer, balancer.dataplane_command(), SANITIZERS)
    assert second.wait(20.0) == 1
    assert second.log_text().strip().splitlines()[-1].startswith("penstock-dp: "), second.log_text()
    # Another runtime directory does not make the interface free.
    other = lab.folder / "other-run"
    other.mkdir()
    command = [str(other) if word == str(balancer.runtime) else word for word in balancer.dataplane_command()]
    third = lab.start("third-dp", lab.balancer, command, SANITIZERS)
    assert third.wait(20.0) == 1
    assert BALANCER_INTERFACE in third.log_text()
    time.sleep(1.0)
    made = load.finish()
    assert not made.failures(), made.failure_kinds()
    assert balancer.dataplane.is_running()


def test_sigterm_exits_within_a_second_and_cleans_up(lab, balancer):
    started = time.monotonic()
    assert balancer.dataplane.stop() == 0
    took_s = time.monotonic() - started
    assert took_s < 1.0 + 1.0, f"{took_s} s, with a sanitizer's leak check"
    assert "xdp" not in lab.balancer.ip("link", "show", BALANCER_INTERFACE)
    assert not (balancer.runtime / "dataplane.sock").exists()


def test_a_restart_reconciles(lab, balancer):
    balancer.start_dataplane()
    balancer.wait_in_step()
    assert serves(lab)


def test_after_sigkill_the_next_start_works_at_once(lab, balancer):
    balancer.dataplane.kill()
    started = time.monotonic()
    balancer.start_dataplane()
    balancer.wait_in_step()
    assert time.monotonic() - started < 15.0
    assert serves(lab)
    made = RunningLoad(lab, VIP, requests=500).wait(60)
    assert not made.failures(), made.failure_kinds()


def test_connections_outlive_a_restart(lab, balancer):
    """The flow table is gone, but the hash key lives in the state directory: each flow finds its server again."""
    with contextlib.ExitStack() as stack:
        # One that found its server by chance would say little of the other five.
        downloads = [stack.enter_context(Download(lab, VIP)) for _ in range(6)]
        assert len({download.backend() for download in downloads}) > 1
        balancer.dataplane.kill()
        balancer.start_dataplane()
        balancer.wait_in_step()
        assert all(download.is_running() for download in downloads), "the downloads must outlast the restart"
        assert [download.completed() for download in downloads] == [True] * len(downloads)
