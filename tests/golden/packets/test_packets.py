#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Golden packets: each case's in.pcap through Penstock, against its out.pcap and verdicts.txt.

    test_packets.py --regen     writes the files of all cases anew, from cases.py
"""

import contextlib
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import cases  # noqa: E402
from scapy.all import Ether, RawPcapReader, RawPcapWriter  # noqa: E402

REPLAY_CORE = HERE.parents[2] / "build" / "debug" / "tests" / "golden" / "packets" / "replay-core"


def read_frames(path: pathlib.Path) -> list[bytes]:
    with contextlib.closing(RawPcapReader(str(path))) as reader:
        return [data for data, _ in reader]


def write_frames(path: pathlib.Path, frames: list[bytes]) -> None:
    # Raw: malformed packets must stay as they are. The time is 0, so that the same cases make the same files.
    with RawPcapWriter(str(path), linktype=1) as writer:
        writer.write_header(None)
        for frame in frames:
            writer.write_packet(frame, sec=0, usec=0)


def regenerate() -> None:
    for name, case in cases.CASES.items():
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        exchanges = case()
        (folder / "penstock.toml").write_text(cases.CONFIGURATION, encoding="utf-8")
        write_frames(folder / "in.pcap", [one.sent for one in exchanges])
        write_frames(folder / "out.pcap", [one.expected for one in exchanges if one.expected is not None])
        (folder / "verdicts.txt").write_text("".join(one.verdict + "\n" for one in exchanges), encoding="utf-8")


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


@pytest.mark.parametrize("name", sorted(cases.CASES))
def test_files_are_those_of_the_generator(name):
    """An edited pcap or an edited case without --regen would test something else than it says."""
    exchanges = cases.CASES[name]()
    assert read_frames(HERE / name / "in.pcap") == [one.sent for one in exchanges]
    assert_same_frames(read_frames(HERE / name / "out.pcap"), [one.expected for one in exchanges if one.expected])


@pytest.mark.parametrize("name", sorted(cases.CASES))
def test_core(name, tmp_path):
    folder = HERE / name
    out = tmp_path / "out.pcap"
    answer = subprocess.run(
        [str(REPLAY_CORE), str(folder / "penstock.toml"), str(folder / "in.pcap"), str(out), cases.OUR_MAC],
        capture_output=True, text=True, check=False, timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
    verdicts = answer.stdout.splitlines()
    assert verdicts == (folder / "verdicts.txt").read_text(encoding="utf-8").splitlines()
    got = read_frames(out)
    assert_same_frames(got, read_frames(folder / "out.pcap"))
    assert_conserved(len(read_frames(folder / "in.pcap")), len(got), verdicts)


def test_a_wrong_byte_is_found():
    good = cases.CASES["tcp_ipip"]()[0].expected
    with pytest.raises(AssertionError, match="TCP|IP"):
        assert_same_frames([good[:30] + bytes([good[30] ^ 1]) + good[31:]], [good])


if __name__ == "__main__":
    if sys.argv[1:] != ["--regen"]:
        sys.exit(__doc__)
    regenerate()
