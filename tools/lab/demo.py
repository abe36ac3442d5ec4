# SPDX-License-Identifier: Apache-2.0
"""The story that tools/demo tells, in six parts, each measured. See tools/lab/__init__.py for the hosts."""

import argparse
import contextlib
import json
import signal
import sys
import time

from lab import daemons, topology
from lab.download import Download
from lab.figures import Figures, broken_promises
from lab.measure import RunningLoad
from lab.namespaces import LabError
from lab.processes import wait_until

REQUESTS = 20_000
RELOADS = 50
RELOAD_INTERVAL_S = 0.06  # at least: so that all of them take 3 s or more, and each meets some requests
RATE = 400.0  # requests a second while something happens to the balancer
VICTIM = "web-2"


class Demo:
    def __init__(self, lab: topology.Topology, balancer: daemons.Balancer, figures: Figures, say) -> None:
        self._lab = lab
        self._balancer = balancer
        self._figures = figures
        self._say = say
        total = sum(plan.weight for plan in lab.backends)
        figures.expected = {plan.name: plan.weight / total for plan in lab.backends}

    def run(self) -> None:
        self.spread()
        self.kill_and_return()
        self.reloads()
        self.controlplane_crash()
        self.drain()
        self.totals()

    def spread(self) -> None:
        self._say(f"(a) Spread: {REQUESTS:,} requests from one client host, each on a new connection.")
        made = RunningLoad(self._lab, topology.VIP, requests=REQUESTS).wait(240.0)
        figures = self._figures
        figures.requests, figures.shares = len(made), made.shares()
        figures.failed.spread = len(made.failures())
        for plan in self._lab.backends:
            got, expected = figures.shares.get(plan.name, 0.0), figures.expected[plan.name]
            self._say(f"    {plan.name}: weight {plan.weight:3}, expected {expected:6.1%}, got {got:6.2%}")
        self._say_failures(made)

    def kill_and_return(self) -> None:
        """(b) and (c) under one load, so that no request between them is left out."""
        self._say(f"(b) Crash: nginx of {VICTIM} is killed while {RATE:.0f} requests a second arrive.")
        load = RunningLoad(self._lab, topology.VIP, rate=RATE)
        time.sleep(2.0)
        before = self._balancer.newest_event()
        killed_ns = time.time_ns()
        self._lab.web[VICTIM].kill()
        event = self._balancer.wait_event("backend-health", before, 30.0, backend=VICTIM, to="down")
        live_ns = self._balancer.wait_health_live(VICTIM, "down", before)
        self._figures.detected_ms = (daemons.event_time_ns(event) - killed_ns) // 1_000_000
        self._say(f"    Found after {self._figures.detected_ms} ms: {event['reason']}.")
        time.sleep(3.0)
        self._say(f"(c) Return: nginx of {VICTIM} is started again.")
        self._lab.web[VICTIM].restart()
        back_ns = self._balancer.wait_health_live(VICTIM, "up", before)
        time.sleep(4.0)
        made = load.finish()
        failed = made.failures()
        self._figures.failed.before_kill = len(failed.ended_before(killed_ns))
        self._figures.failed.kill_before = len(failed.started_before(live_ns)) - self._figures.failed.before_kill
        self._figures.failed.kill_after = len(failed.started_from(live_ns))
        share = made.started_from(back_ns).shares().get(VICTIM, 0.0)
        self._say(f"    {VICTIM} is up again and gets {share:.1%} of new connections.")
        self._say(
            f"    Of {len(made):,} requests, {self._figures.failed.kill_before} failed that began before the others"
            f" took over, {self._figures.failed.kill_after} that began afterwards."
        )
        if share < self._figures.expected[VICTIM] / 2:
            raise LabError(f"{VICTIM} is back, but gets only {share:.1%} of new connections")

    def reloads(self) -> None:
        self._say(f"(d) Reload: {RELOADS} times another configuration, under load.")
        first = self._balancer.api.get("/v1/status")["generation"]["desired"]
        load = RunningLoad(self._lab, topology.VIP, rate=RATE)
        started, started_ns = time.monotonic(), time.time_ns()
        for number in range(1, RELOADS + 1):
            # The last one is the configuration of before.
            weight = 100 - (RELOADS - number) % 2 * 10
            self._balancer.write(configuration(weight_of_first=weight))
            if number % 5 == 0:
                self._reload_by_signal()
            else:
                self._balancer.cli_json("apply", str(self._balancer.file))
            time.sleep(max(0.0, started + number * RELOAD_INTERVAL_S - time.monotonic()))
        took_s = time.monotonic() - started
        self._balancer.wait_in_step()
        ended_ns = time.time_ns()
        made = load.finish()
        self._figures.failed.reload = len(made.failures())
        generations = self._balancer.api.get("/v1/status")["generation"]["live"] - first
        meanwhile = len(made.started_from(started_ns).started_before(ended_ns))
        self._say(f"    {generations} generations went live in {took_s:.1f} s, which {meanwhile:,} requests met.")
        self._say_failures(made)
        if generations < RELOADS:
            raise LabError(f"only {generations} generations went live in {RELOADS} reloads")
        if meanwhile < RELOADS:
            raise LabError(f"only {meanwhile} requests were made during {RELOADS} reloads: they prove nothing")

    def _reload_by_signal(self) -> None:
        before = self._balancer.api.get("/v1/status")["generation"]["desired"]
        self._balancer.controlplane.signal(signal.SIGHUP)
        wait_until(
            "penstock-cp took the file on SIGHUP",
            lambda: self._balancer.api.get("/v1/status")["generation"]["desired"] > before, 10.0,
            process=self._balancer.controlplane,
        )

    def controlplane_crash(self) -> None:
        self._say("(e) Control plane crash: kill -9 of penstock-cp under load.")
        instance = self._balancer.api.get("/v1/status")["dataplane"]["instance"]
        load = RunningLoad(self._lab, topology.VIP, rate=RATE)
        time.sleep(1.0)
        self._balancer.controlplane.kill()
        killed_ns = time.time_ns()
        time.sleep(3.0)
        restarted_ns = time.time_ns()
        self._balancer.start_controlplane()
        started = time.monotonic()
        self._balancer.wait_in_step()
        self._balancer.wait_all_up()
        took_s = time.monotonic() - started
        time.sleep(2.0)
        made = load.finish()
        self._figures.failed.cp_kill = len(made.failures())
        alone = made.started_from(killed_ns).ended_before(restarted_ns)
        self._say(f"    For 3 s the dataplane worked alone: {len(alone):,} requests.")
        self._say(f"    Restarted, penstock-cp was in step with the same dataplane after {took_s:.1f} s.")
        self._say_failures(made)
        if len(alone) == len(alone.failures()):
            raise LabError("no request was answered while penstock-cp was down")
        if self._balancer.api.get("/v1/status")["dataplane"]["instance"] != instance:
            raise LabError("the dataplane restarted, though only the control plane was killed")

    def drain(self) -> None:
        with Download(self._lab, topology.VIP) as download:
            backend = download.backend()
            self._say(f"(f) Drain: {backend} is drained while a long download runs through it.")
            self._balancer.cli_json("backend", "drain", f"web/{backend}")
            self._balancer.wait_eligible(backend, eligible=False)
            if not download.is_running():
                raise LabError("the download ended before the drain was live: it proves nothing")
            made = RunningLoad(self._lab, topology.VIP, requests=2000).wait(60.0)
            to_drained = sum(request.said == backend for request in made)
            self._figures.download_completed = download.completed()
        said = "completed" if self._figures.download_completed else "did NOT complete"
        self._say(f"    {to_drained} of {len(made):,} new connections went to {backend}; the download {said}.")
        self._say_failures(made)
        if to_drained or made.failures():
            raise LabError(f"{to_drained} new connections went to the drained backend, {len(made.failures())} failed")
        self._balancer.cli_json("backend", "enable", f"web/{backend}")
        self._balancer.wait_eligible(backend, eligible=True)

    def totals(self) -> None:
        stats = self._balancer.cli_json("stats")["totals"]
        drops = [f"{drop['packets']:,} {drop['reason']}" for drop in self._balancer.cli_json("drops")["drops"]
                 if drop["packets"]]
        self._say(
            f"In all: {stats['rx_packets']:,} packets came in, {stats['tx_packets']:,} went out,"
            f" {stats['to_kernel_packets']:,} to the kernel, dropped: {', '.join(drops) or 'none'}."
        )

    def _say_failures(self, made) -> None:
        kinds = ", ".join(f"{count} {kind}" for kind, count in made.failure_kinds().items())
        self._say(f"    {len(made.failures())} of {len(made):,} requests failed{': ' + kinds if kinds else ''}.")


def configuration(weight_of_first: int = topology.BACKENDS[0].weight) -> str:
    first, *others = topology.BACKENDS
    backends = (topology.BackendPlan(first.name, first.address, weight_of_first), *others)
    return daemons.configuration_text([daemons.ServicePlan(backends=backends)])


def tell_what_to_try(lab: topology.Topology, balancer: daemons.Balancer, say) -> None:
    penstock = f"{balancer.program('penstock')} --runtime-dir {balancer.runtime}"
    inside = f"ip netns exec {lab.client.name}"
    say("Left running. Try:")
    for line in (
        f"{penstock} status", f"{penstock} backend list", f"{penstock} stats --interval 1",
        f"{penstock} backend drain web/web-1", f"{penstock} events --follow",
        f"{inside} curl -s http://{topology.VIP}/",
        f"ip netns exec {lab.servers['web-1'].name} tcpdump -ni eth0 -c 5 proto 4",
        "tools/demo --clean     # when you are done",
    ):
        say(f"    {line}")
    say(f"Logs and the configuration: {lab.folder}")


def run(keep: bool, figures: Figures, say) -> None:
    say("Building a laboratory: a client, a router, the balancer and three web servers, as network namespaces.")
    with topology.Topology() as lab:
        balancer = daemons.Balancer(lab, "release", configuration())
        try:
            balancer.start()
            say("Penstock runs: the VIP is served by AF_XDP, servers answer the client directly.")
            Demo(lab, balancer, figures, say).run()
        except LabError:
            tell_logs(lab, say)
            if keep:
                keep_lab(lab, balancer, say)
            raise
        if keep:
            keep_lab(lab, balancer, say)


def keep_lab(lab: topology.Topology, balancer: daemons.Balancer, say) -> None:
    lab.keep()
    tell_what_to_try(lab, balancer, say)


def tell_logs(lab: topology.Topology, say) -> None:
    """The laboratory goes away with its logs: their ends are what a reader needs."""
    for process in lab.daemon_processes():
        if process.log_text():
            say(f"--- the log of {process.name} ends:\n{process.log_tail()}")


def clean(say) -> int:
    labs = topology.abandoned_labs()
    try:
        for lab in labs:
            topology.remove_lab(lab)
            say(f"Removed laboratory {lab}.")
    except (LabError, OSError) as error:
        say(f"Not removed: {error}")
        return 1
    if not labs:
        say("There is nothing to remove: no laboratory was left behind.")
    return 0


def interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/demo")
    for option in ("--json", "--keep", "--clean"):
        parser.add_argument(option, action="store_true")
    parsed = parser.parse_args(arguments)
    started = time.monotonic()

    def say(text: str) -> None:
        stream = sys.stderr if parsed.json else sys.stdout
        print(f"[{time.monotonic() - started:5.1f} s] {text}", file=stream, flush=True)

    if parsed.clean:
        return clean(say)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    figures = Figures()
    broken: list[str] = []
    try:
        run(parsed.keep, figures, say)
        broken += broken_promises(figures, REQUESTS)
    except LabError as error:
        broken.append(str(error))
    except KeyboardInterrupt:
        say("Interrupted; everything is cleaned up.")
        return 130
    for sentence in broken:
        say(f"NOT as promised: {sentence}")
    if not broken:
        say("All as promised: nothing was lost but what the dead server took with it.")
    if parsed.json:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(figures.document()), flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
