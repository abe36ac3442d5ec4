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

import configuration  # noqa: E402
import size_cases  # noqa: E402
from exchange import CLIENT_MAC, OUR_MAC, Exchange, ether  # noqa: E402
from golden_files import read_frames, write_frames  # noqa: E402
from runs import RUNS, Run  # noqa: E402
from scapy.all import IP, Ether, Raw  # noqa: E402
from test_packets import assert_leave, check  # noqa: E402

BUILD = HERE.parents[2] / "build" / "debug"
LIMIT_S = 60.0
BURST = 32  # packets that a worker receives at once
# A report of a sanitizer must end the process: its exit status is looked at.
ENVIRONMENT = {**os.environ, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}


class Daemons:
    """penstock-dp and penstock-cp with a configuration, in `folder`; both end with stop() or kill()."""

    def __init__(self, text: str, folder: pathlib.Path) -> None:
        self._folder = folder
        configuration = folder / "penstock.toml"
        configuration.write_text(text, encoding="utf-8")
        self._folders = ["--runtime-dir", str(folder / "run"), "--state-dir", str(folder / "state")]
        (folder / "run").mkdir()
        (folder / "state").mkdir(mode=0o700)
        # The key that the model and penstock replay have: with it choices that are free are the same ones.
        (folder / "state" / "flow-hash-key").write_bytes(bytes(16))
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

    def wait_done(self, packets: int) -> tuple[dict, dict[str, int]]:
        """Totals and drops by reason, once `packets` are received and every one is accounted for; packets that are held
        back are, at last, by what they wait for. A sum that does not come out at all is a lost packet."""
        end = time.monotonic() + LIMIT_S
        totals, drops = {}, {}
        while time.monotonic() < end:
            stats = self.ask("stats")
            if stats is not None and stats["totals"]["rx_packets"] >= packets:
                totals = stats["totals"]
                drops = {drop["reason"]: drop["packets"] for drop in self.ask("drops")["drops"] if drop["packets"]}
                if totals["rx_packets"] + totals["pieces"] == (
                        totals["tx_packets"] + totals["to_kernel_packets"] + sum(drops.values())):
                    return totals, drops
            assert all(one.poll() is None for one in self._started), self.logs()
            time.sleep(0.1)
        raise AssertionError(f"{totals} {drops}\n{self.logs()}")

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


# Where a backend goes down between packets, somebody must tell: test_two_workers.py.
@pytest.mark.parametrize("first", sorted(name for name, group in RUNS.items() if not group.down))
def test_dataplane(first, tmp_path):
    assert os.geteuid() == 0, "needs root: penstock-dp does"
    group = RUNS[first]
    check(group, "dataplane", lambda: run_group(group, tmp_path))


def in_bursts(exchanges: list[Exchange]) -> list[Exchange]:
    """With what is nobody's put between, so that what is apart begins a burst: the pcap driver fills each."""
    filler = Exchange(bytes(Ether(dst=OUR_MAC, src=CLIENT_MAC, type=0x88B5)), "kernel")  # IEEE 802: experimental
    out: list[Exchange] = []
    for one in exchanges:
        out += [filler] * (-len(out) % BURST if one.apart else 0) + [one]
    return out


def send(text: str, exchanges: list[Exchange], tmp_path: pathlib.Path) -> tuple[dict, dict[str, int], list[bytes]]:
    """Totals, drops by reason, and what came out."""
    write_frames(tmp_path / "in.pcap", [one.sent for one in exchanges])
    for name in ("in.pcap", "out.pcap"):
        assert text.count(f"_pcap={name}") == 1
        text = text.replace(f"_pcap={name}", f"_pcap={tmp_path / name}")
    daemons = Daemons(text, tmp_path)
    try:
        totals, drops = daemons.wait_done(len(exchanges))
        daemons.stop()
    finally:
        daemons.kill()
    return totals, drops, read_frames(tmp_path / "out.pcap")


def run_group(group: Run, tmp_path: pathlib.Path) -> None:
    exchanges = in_bursts(group.exchanges)
    totals, drops, out = send(group.configuration, exchanges, tmp_path)
    # A pcap device has no way to the kernel.
    reasons = ["no_exception_path" if one.verdict == "kernel" else one.verdict for one in exchanges]
    assert drops == dict(collections.Counter(reason for reason in reasons if reason not in ("forward", "reply")))
    assert totals["rx_packets"] == len(exchanges)
    assert_leave(group, out)


def put_together(pieces: list[bytes]) -> bytes:
    """The datagram of IPIP packets with a fragment each, with its IP header as it was (RFC 791 3.2)."""
    parts = sorted((Ether(piece)[IP].payload for piece in pieces), key=lambda part: part.frag)
    assert [part.frag * 8 for part in parts] == [sum(len(one.payload) for one in parts[:at]) for at in range(len(parts))]
    assert [str(part.flags) for part in parts] == ["MF"] * (len(parts) - 1) + [""]
    whole = parts[0].copy()
    whole.flags, whole.len, whole.chksum = 0, None, None
    whole.remove_payload()
    return bytes(whole / Raw(b"".join(bytes(part.payload) for part in parts)))


def test_pieces_fit_a_buffer(tmp_path):
    """On a jumbo port pieces are smaller than its MTU, but the datagram is the same."""
    wide = size_cases.datagram(configuration.VIP, size_cases.JUMBO_MTU - 10, id=7)
    totals, drops, out = send(size_cases.JUMBO.text, [Exchange(bytes(ether() / wide), "forward")], tmp_path)
    assert not drops and totals["pieces"] == len(out) - 1 > 0
    assert put_together(out) == bytes(wide)
