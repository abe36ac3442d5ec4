#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Golden packets: each case's in.pcap through the core and through penstock replay, against its out.pcap and
verdicts.txt. test_dataplane.py runs the same files through penstock-dp.

    test_packets.py --regen     writes the files of all cases and docs/reference/packets.md anew, from cases.py
"""

import json
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import cases  # noqa: E402
import golden_files  # noqa: E402
from golden_files import read_frames  # noqa: E402
from scapy.all import Ether  # noqa: E402

BUILD = HERE.parents[2] / "build" / "debug"
REPLAY_CORE = BUILD / "tests" / "golden" / "packets" / "replay-core"
PENSTOCK = BUILD / "tools" / "cli" / "penstock"


def decoded(frame: bytes | None) -> str:
    return "nothing" if frame is None else Ether(frame).show(dump=True) + frame.hex(" ")


def assert_same_frames(got: list[bytes], expected: list[bytes]) -> None:
    for index in range(max(len(got), len(expected))):
        one = got[index] if index < len(got) else None
        other = expected[index] if index < len(expected) else None
        assert one == other, f"packet {index + 1} out:\n{decoded(one)}\nexpected:\n{decoded(other)}"


def assert_conserved(received: int, sent: int, verdicts: list[str]) -> None:
    """Σ rx = Σ tx + Σ drops + to the kernel."""
    leaving = sum(verdict in ("forward", "reply") for verdict in verdicts)
    kernel = verdicts.count("kernel")
    assert sent == leaving
    assert received == sent + kernel + (len(verdicts) - leaving - kernel)


def assert_as_expected(name: str, verdicts: list[str], got: list[bytes]) -> None:
    folder = HERE / name
    assert verdicts == (folder / "verdicts.txt").read_text(encoding="utf-8").splitlines()
    assert_same_frames(got, read_frames(folder / "out.pcap"))
    assert_conserved(len(read_frames(folder / "in.pcap")), len(got), verdicts)


def run(*command: str) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize("name", sorted(cases.CASES))
def test_files_are_those_of_the_generator(name):
    """An edited pcap or an edited case without --regen would test something else than it says."""
    exchanges = cases.CASES[name].exchanges()
    assert read_frames(HERE / name / "in.pcap") == [one.sent for one in exchanges]
    assert_same_frames(read_frames(HERE / name / "out.pcap"), [one.expected for one in exchanges if one.expected])
    assert (HERE / name / "penstock.toml").read_text(encoding="utf-8") == cases.CASES[name].configuration
    assert (HERE / name / "packets.txt").read_text(encoding="utf-8") == golden_files.text_of(name)


def test_the_table_in_the_documents_is_current():
    assert golden_files.PAGE.read_text(encoding="utf-8") == golden_files.page(), "run test_packets.py --regen"


def test_no_case_is_left_behind():
    assert {path.parent.name for path in HERE.glob("*/in.pcap")} == set(cases.CASES)


@pytest.mark.parametrize("name", sorted(cases.CASES))
def test_core(name, tmp_path):
    out = tmp_path / "out.pcap"
    words = run(str(REPLAY_CORE), str(HERE / name / "penstock.toml"), str(HERE / name / "in.pcap"), str(out))
    assert_as_expected(name, words.splitlines(), read_frames(out))


@pytest.mark.parametrize("name", sorted(cases.CASES))
def test_replay(name, tmp_path):
    out, report = tmp_path / "out.pcap", tmp_path / "report.json"
    run(str(PENSTOCK), "replay", "--config", str(HERE / name / "penstock.toml"), "--in", str(HERE / name / "in.pcap"),
        "--out", str(out), "--report", str(report), "--next-hops", "configured")
    packets = json.loads(report.read_text(encoding="utf-8"))
    assert [packet["index"] for packet in packets] == list(range(1, len(packets) + 1))
    assert_as_expected(name, [packet["reason"] or packet["verdict"] for packet in packets], read_frames(out))
    for packet in packets:
        assert (packet["verdict"] == "drop") == (packet["reason"] is not None)
        assert (packet["backend"] is None) or (packet["backend"] == packet["service"] + "-1")
        assert packet["verdict"] != "forward" or packet["backend"]


def test_a_wrong_byte_is_found():
    good = cases.CASES["ipip_4in4_tcp"].exchanges()[0].expected
    with pytest.raises(AssertionError, match="TCP|IP"):
        assert_same_frames([good[:30] + bytes([good[30] ^ 1]) + good[31:]], [good])


if __name__ == "__main__":
    if sys.argv[1:] != ["--regen"]:
        sys.exit(__doc__)
    golden_files.regenerate()
