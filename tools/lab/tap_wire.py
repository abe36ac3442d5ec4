# SPDX-License-Identifier: Apache-2.0
"""Penstock behind a TAP of DPDK's, in a namespace of its own: frames in, frames out.

    flow_exchange.py ─► tap0 ─► penstock-dp ─► tap0 ─► flow_exchange.py

A TAP spreads flows over the workers' queues by a hash of the kernel's, so an entry may stand in any worker's table.
"""

import json
import os
import pathlib
import subprocess
import sys

from lab import markers
from lab.daemons import PROGRAMS, SANITIZERS, Api, can_connect
from lab.namespaces import Namespace
from lab.processes import Process, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / os.environ.get("PENSTOCK_FLAVOUR", "debug")
INTERFACE = "tap0"


class TapWire:
    """`lab` is the pid of its maker, `folder` its folder, as in markers.begin(). The configuration's port is the device
    net_tap0 with iface=tap0."""

    def __init__(self, lab: str, host: str, folder: pathlib.Path, configuration: str, mtu: int = 1500) -> None:
        self.folder = folder
        self.runtime = folder / "run"
        self.state = folder / "state"
        self._mtu = mtu
        markers.add_namespace(lab, f"penstock-{lab}-{host}")
        self.host = Namespace(lab, host)
        self.processes: list[Process] = []
        self.api = Api(self.runtime / "control.sock")
        self.runtime.mkdir()
        self.state.mkdir(mode=0o700)
        (folder / "penstock.toml").write_text(configuration, encoding="utf-8")

    def start(self) -> None:
        for name, sock in (("penstock-dp", "dataplane.sock"), ("penstock-cp", "control.sock")):
            command = [str(BUILD / PROGRAMS[name]), "--config", str(self.folder / "penstock.toml"),
                       "--runtime-dir", str(self.runtime), "--state-dir", str(self.state)]
            process = Process(name, self.host, command, self.folder / f"{name}.log", SANITIZERS)
            self.processes.append(process)
            wait_until(f"{name} listens", lambda sock=sock: can_connect(self.runtime / sock), 60.0, process=process)
        self.wait_live()
        self.host.set_up(INTERFACE, self._mtu)

    def wait_live(self) -> None:
        def live() -> bool:
            generation = self.api.get("/v1/status")["generation"]
            return generation["live"] is not None and generation["live"] == generation["desired"]

        wait_until("the desired generation is live", live, 30.0)

    def end(self) -> None:
        for process in reversed(self.processes):
            if process.is_running():
                process.stop()
        self.host.remove()

    def sanitizer_reports(self) -> str:
        return "\n".join(process.sanitizer_report() for process in self.processes)

    def penstock(self, *arguments: str) -> str:
        answer = subprocess.run(
            [str(BUILD / PROGRAMS["penstock"]), "--runtime-dir", str(self.runtime), *arguments],
            capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **SANITIZERS},
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def drops(self) -> dict[str, int]:
        return {one["reason"]: one["packets"] for one in self.api.get("/v1/drops")["drops"]}

    def exchange(self, frames: list[bytes], expected: list[bool]) -> list[bytes]:
        """What comes out for what goes in; between queues there is no order. `expected`: whether something should come, of
        each frame, which says only how long to wait."""
        path = self.folder / "frames.json"
        pairs = [(frame.hex(), comes) for frame, comes in zip(frames, expected, strict=True)]
        path.write_text(json.dumps(pairs), encoding="utf-8")
        script = pathlib.Path(__file__).with_name("flow_exchange.py")
        printed = self.host.run(sys.executable, str(script), INTERFACE, str(path), limit_s=150.0)
        return [bytes.fromhex(text) for text in json.loads(printed)]
