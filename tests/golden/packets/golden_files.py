# SPDX-License-Identifier: Apache-2.0
"""The files of the golden packets: captures, verdicts, packets.txt for people, and the table in the documents."""

import collections
import contextlib
import pathlib
import shutil

import cases
from packet_text import case_text
from scapy.all import RawPcapReader, RawPcapWriter

HERE = pathlib.Path(__file__).resolve().parent
CAPTURES, CONFIGURATIONS = HERE / "captures", HERE / "configurations"
PAGE = HERE.parents[2] / "docs" / "reference" / "packets.md"

SHOWN_MAX = 8  # verdicts in a row of it

PAGE_HEAD = """\
<!-- Made by tests/golden/packets/test_packets.py --regen; a test holds it current. -->
# Packets: what becomes of them

Every row is a capture in `tests/golden/packets/captures/CASE/`: `in.pcap`, the `out.pcap` that must come of it,
`verdicts.txt` with one word a packet, and `packets.txt`, the same for people. `configurations/` beside it has the file
that decides. What must come of a packet says a model made with scapy from the RFCs, not Penstock. Each case runs through
three programs: the core alone (packet by packet, and in bursts), `penstock replay`, and `penstock-dp` with DPDK's pcap
driver. On a TAP with two queues, where two workers share the packets, run those without VLAN tags of `standard`, NAT both
ways, errors after a drain, and `on_down` (`test_two_workers.py`). What a verdict or reason means: [drop
reasons](drop-reasons.md).

`on_down` does not run through `penstock replay`, to which every backend is up.

| case | feature | family | protocol | configuration | packets | verdicts |
|---|---|---|---|---|---:|---|
"""


def read_frames(path: pathlib.Path) -> list[bytes]:
    with contextlib.closing(RawPcapReader(str(path))) as reader:
        return [data for data, _ in reader]


def frames_out(exchanges) -> list[bytes]:
    return [frame for one in exchanges for frame in one.expected]


def write_frames(path: pathlib.Path, frames: list[bytes]) -> None:
    # Raw: malformed packets must stay as they are. The time is 0, so that the same cases make the same files.
    with RawPcapWriter(str(path), linktype=1) as writer:
        writer.write_header(None)
        for frame in frames:
            writer.write_packet(frame, sec=0, usec=0)


def page() -> str:
    """docs/reference/packets.md."""
    text = PAGE_HEAD
    for name, case in cases.CASES.items():
        verdicts = [one.verdict for one in case.exchanges()]
        told = collections.Counter(verdicts).most_common()
        counts = ", ".join(f"{count} `{verdict}`" for verdict, count in told[:SHOWN_MAX])
        if len(told) > SHOWN_MAX:
            counts += f", and {len(told) - SHOWN_MAX} more reasons"
        text += f"| `{name}` | {' | '.join(case.row)} | {case.configuration.name} | {len(verdicts)} | {counts} |\n"
    return text


def text_of(name: str) -> str:
    """packets.txt of a case."""
    case = cases.CASES[name]
    return case_text(f"{name}: {', '.join(case.row)}; {case.configuration.name}.toml", case.exchanges())


def configurations() -> dict[str, str]:
    """Text by name. Two of one name would be one file."""
    found: dict[str, str] = {}
    for case in cases.CASES.values():
        assert found.setdefault(case.configuration.name, case.configuration.text) == case.configuration.text
    return found


def regenerate() -> None:
    for folder in (CAPTURES, CONFIGURATIONS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    for name, text in configurations().items():
        (CONFIGURATIONS / f"{name}.toml").write_text(text, encoding="utf-8")
    for name, case in cases.CASES.items():
        folder = CAPTURES / name
        folder.mkdir()
        exchanges = case.exchanges()
        write_frames(folder / "in.pcap", [one.sent for one in exchanges])
        write_frames(folder / "out.pcap", frames_out(exchanges))
        (folder / "verdicts.txt").write_text("".join(one.verdict + "\n" for one in exchanges), encoding="utf-8")
        (folder / "packets.txt").write_text(text_of(name), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
