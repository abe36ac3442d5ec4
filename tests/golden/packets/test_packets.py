#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Golden packets: what each case sends through the core and through penstock replay, against what the model says must
come of it. test_dataplane.py sends the same through penstock-dp. The files are for people, and for whom they serve as input.

    test_packets.py --regen     writes the files of all cases and docs/reference/packets.md anew, from the model
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
from golden_files import frames_out, read_frames, write_frames  # noqa: E402
from runs import RUNS, Run  # noqa: E402
from scapy.all import Ether  # noqa: E402

BUILD = HERE.parents[2] / "build" / "debug"
GOLDEN_CORE = BUILD / "tests" / "golden" / "packets" / "golden-core"
PENSTOCK = BUILD / "tools" / "cli" / "penstock"


def decoded(frame: bytes | None) -> str:
    return "nothing" if frame is None else Ether(frame).show(dump=True) + frame.hex(" ")


def assert_same_frames(got: list[bytes], expected: list[bytes], places: list[str] | None = None) -> None:
    for index in range(max(len(got), len(expected))):
        one = got[index] if index < len(got) else None
        other = expected[index] if index < len(expected) else None
        place = f", of {places[index]}" if places and index < len(places) else ""
        assert one == other, f"packet {index + 1} out{place}:\n{decoded(one)}\nexpected:\n{decoded(other)}"


def assert_leave(group: Run, got: list[bytes]) -> None:
    """What waits leaves behind the burst of what it waits for."""
    expected, count = frames_out(group.exchanges), group.in_order_out
    assert_same_frames(got[:count], expected[:count], group.places_out())
    assert_same_frames(sorted(got[count:]), sorted(expected[count:]))


def assert_as_expected(group: Run, verdicts: list[str], got: list[bytes], in_order: bool) -> None:
    exchanges, places = group.exchanges, group.places()
    assert len(verdicts) == len(exchanges)
    told = [f"{place}: {verdict}" for place, verdict in zip(places, verdicts, strict=True)]
    assert told == [f"{place}: {one.verdict}" for place, one in zip(places, exchanges, strict=True)]
    if in_order:
        assert_same_frames(got, frames_out(exchanges), group.places_out())
    else:
        assert_leave(group, got)
    # Σ rx + pieces = Σ tx + Σ drops + to the kernel.
    pieces = sum(max(len(one.expected) - 1, 0) for one in exchanges)
    drops = sum(verdict not in ("forward", "reply", "kernel") for verdict in verdicts)
    assert len(exchanges) + pieces == len(got) + drops + verdicts.count("kernel")


def check(group: Run, program: str, act) -> None:
    """`act()` compares. Where a program is known to do otherwise, it must still do so, or the mark is out of date."""
    reason = group.unlike(program)
    if reason is None:
        act()
        return
    try:
        act()
    except AssertionError:
        return
    pytest.fail(f"{program} does it now: take the mark off {group.names[0]} ({reason})")


def run(*command: str) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "Sanitizer" not in answer.stderr, answer.stderr
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def write_input(group: Run, folder: pathlib.Path) -> tuple[str, str]:
    (folder / "penstock.toml").write_text(group.configuration, encoding="utf-8")
    write_frames(folder / "in.pcap", [one.sent for one in group.exchanges])
    return str(folder / "penstock.toml"), str(folder / "in.pcap")


@pytest.mark.parametrize("name", sorted(cases.CASES))
def test_files_are_those_of_the_model(name):
    """An edited pcap or an edited case without --regen would test something else than it says."""
    exchanges, folder = cases.CASES[name].exchanges(), golden_files.CAPTURES / name
    assert read_frames(folder / "in.pcap") == [one.sent for one in exchanges]
    assert_same_frames(read_frames(folder / "out.pcap"), frames_out(exchanges))
    assert (folder / "verdicts.txt").read_text(encoding="utf-8").split() == [one.verdict for one in exchanges]
    assert (folder / "packets.txt").read_text(encoding="utf-8") == golden_files.text_of(name)


def test_configurations_are_those_of_the_model():
    found = {path.stem: path.read_text(encoding="utf-8") for path in golden_files.CONFIGURATIONS.iterdir()}
    assert found == golden_files.configurations(), "run test_packets.py --regen"


def test_the_table_in_the_documents_is_current():
    assert golden_files.PAGE.read_text(encoding="utf-8") == golden_files.page(), "run test_packets.py --regen"


def test_no_case_is_left_behind():
    assert {path.name for path in golden_files.CAPTURES.iterdir()} == set(cases.CASES)


def test_cases_that_wait_say_so():
    assert {name for name, case in cases.CASES.items() if case.waits} == {
        name for name, case in cases.CASES.items() if any(one.waits for one in case.exchanges())}


def test_every_case_is_run_once():
    assert sorted(name for group in RUNS.values() for name in group.names) == sorted(cases.CASES)


@pytest.mark.parametrize("first", sorted(RUNS))
def test_core(first, tmp_path):
    group, out = RUNS[first], tmp_path / "out.pcap"
    configuration, packets = write_input(group, tmp_path)
    words = run(str(GOLDEN_CORE), configuration, packets, str(out),
                *(str(number) for number, one in enumerate(group.exchanges, 1) if one.apart),
                *(f"{number}={backend}" for number, backend in group.down.items()))
    check(group, "core", lambda: assert_as_expected(group, words.splitlines(), read_frames(out), in_order=True))


@pytest.mark.parametrize("first", sorted(RUNS))
def test_replay(first, tmp_path):
    group, out, report = RUNS[first], tmp_path / "out.pcap", tmp_path / "report.json"
    configuration, capture = write_input(group, tmp_path)
    run(str(PENSTOCK), "replay", "--config", configuration, "--in", capture, "--out", str(out), "--report", str(report),
        "--next-hops", "configured")
    packets = json.loads(report.read_text(encoding="utf-8"))
    assert [packet["index"] for packet in packets] == list(range(1, len(packets) + 1))
    for packet in packets:
        assert (packet["verdict"] == "drop") == (packet["reason"] is not None)
        assert (packet["backend"] is None) or packet["backend"].startswith(packet["service"] + "-")
        assert packet["verdict"] != "forward" or packet["backend"]
    verdicts = [packet["reason"] or packet["verdict"] for packet in packets]
    check(group, "replay", lambda: assert_as_expected(group, verdicts, read_frames(out), in_order=False))


def test_a_wrong_byte_is_found():
    good = cases.CASES["ipip_4in4_tcp"].exchanges()[0].expected[0]
    with pytest.raises(AssertionError, match="TCP|IP"):
        assert_same_frames([good[:30] + bytes([good[30] ^ 1]) + good[31:]], [good])


if __name__ == "__main__":
    if sys.argv[1:] != ["--regen"]:
        sys.exit(__doc__)
    golden_files.regenerate()
