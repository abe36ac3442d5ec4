#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Golden packets through the real process: penstock-dp on DPDK's pcap driver, configured by penstock-cp.

    in.pcap ─► net_pcap0 ─► penstock-dp ─► net_pcap0 ─► out.pcap
                               ▲ desired state
                            penstock-cp ◄─ penstock.toml

Workers poll nothing before the first snapshot is live, so no packet of the file is lost to the start.
"""

import collections
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import cases  # noqa: E402
from golden_files import read_frames  # noqa: E402
from test_packets import assert_same_frames  # noqa: E402

BUILD = HERE.parents[2] / "build" / "debug"
LIMIT_S = 60.0
# A report of a sanitizer must end the process: its exit status is looked at.
ENVIRONMENT = {**os.environ, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}


class Daemons:
    def __init__(self, name: str, folder: pathlib.Path) -> None:
        self.out = folder / "out.pcap"
        self._folder = folder
        text = (HERE / name / "penstock.toml").read_text(encoding="utf-8")
        text = text.replace("rx_pcap=in.pcap", f"rx_pcap={HERE / name / 'in.pcap'}")
        text = text.replace("tx_pcap=out.pcap", f"tx_pcap={self.out}")
        assert text.count(str(self.out)) == 1
        configuration = folder / "penstock.toml"
        configuration.write_text(text, encoding="utf-8")
        self._folders = ["--runtime-dir", str(folder / "run"), "--state-dir", str(folder / "state")]
        (folder / "run").mkdir()
        (folder / "state").mkdir()
        self._started = [
            self._start(program, "--config", str(configuration), *self._folders)
            for program in ("dataplane/penstock-dp", "controlplane/penstock-cp")
        ]

    def _start(self, program: str, *arguments: str) -> subprocess.Popen:
        with open(self._folder / (pathlib.Path(program).name + ".log"), "wb") as log:
            return subprocess.Popen([str(BUILD / program), *arguments], stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=subprocess.STDOUT, env=ENVIRONMENT)

    def ask(self, command: str) -> dict | None:
        answer = subprocess.run(
            [str(BUILD / "tools/cli/penstock"), "--runtime-dir", str(self._folder / "run"), command, "--json"],
            capture_output=True, text=True, timeout=LIMIT_S, check=False, env=ENVIRONMENT,
        )
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def wait_received(self, packets: int) -> dict:
        end = time.monotonic() + LIMIT_S
        while True:
            stats = self.ask("stats")
            if stats is not None and stats["totals"]["rx_packets"] >= packets:
                return stats
            assert all(one.poll() is None for one in self._started), self.logs()
            assert time.monotonic() < end, f"{stats}\n{self.logs()}"
            time.sleep(0.1)

    def stop(self) -> None:
        for one in self._started:
            one.send_signal(signal.SIGTERM)
        assert [one.wait(20) for one in self._started] == [0, 0], self.logs()

    def kill(self) -> None:
        for one in self._started:
            if one.poll() is None:
                one.kill()
                one.wait()

    def logs(self) -> str:
        return "".join(f"--- {log.name}\n{log.read_text(errors='replace')}" for log in self._folder.glob("*.log"))


@pytest.mark.parametrize("name", sorted(cases.CASES))
def test_dataplane(name, tmp_path):
    assert os.geteuid() == 0, "needs root: penstock-dp does"
    received = len(read_frames(HERE / name / "in.pcap"))
    verdicts = (HERE / name / "verdicts.txt").read_text(encoding="utf-8").split()
    daemons = Daemons(name, tmp_path)
    try:
        totals = daemons.wait_received(received)["totals"]
        drops = {drop["reason"]: drop["packets"] for drop in daemons.ask("drops")["drops"] if drop["packets"]}
        daemons.stop()
    finally:
        daemons.kill()
    # A pcap device has no way to the kernel.
    reasons = ["no_exception_path" if verdict == "kernel" else verdict for verdict in verdicts]
    expected = collections.Counter(reason for reason in reasons if reason not in ("forward", "reply"))
    assert drops == dict(expected)
    assert totals["rx_packets"] == received
    assert totals["rx_packets"] == totals["tx_packets"] + totals["to_kernel_packets"] + sum(drops.values())
    assert_same_frames(read_frames(daemons.out), read_frames(HERE / name / "out.pcap"))
