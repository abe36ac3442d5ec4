#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""penstock replay from outside: every capture format, broken files with their place, flows over time, and --diff.

What packets become is held by tests/golden/packets; here is what is around them.
"""

import contextlib
import json
import os
import pathlib
import struct
import subprocess

import pytest
from scapy.all import IP, TCP, UDP, Ether, RawPcapReader

ROOT = pathlib.Path(__file__).resolve().parents[3]
PENSTOCK = ROOT / "build" / "debug" / "tools" / "cli" / "penstock"
CLIENT, VIP = "192.0.2.1", "198.51.100.10"
TOO_LARGE = 262145  # libpcap's bound and one

CONFIGURATION = """\
[node]
name = "replayed"

[dataplane]
workers = [0]
tunnel_source = "10.0.0.1"

[[dataplane.port]]
name = "edge0"
interface = "edge0"

[flow]
tcp_established = "60s"

[[service]]
name = "web"
vip = "198.51.100.10"
protocol = "tcp"
port = 80
forwarding = "ipip"
probe = { type = "none" }
backend = [
BACKENDS
]
"""


def configuration(path: pathlib.Path, backends: dict[str, str]) -> pathlib.Path:
    """`backends` is address → more keys."""
    lines = [f'  {{ name = "web-{address.rpartition(".")[2]}", address = "{address}"{keys} }},'
             for address, keys in backends.items()]
    path.write_text(CONFIGURATION.replace("BACKENDS", "\n".join(lines)), encoding="utf-8")
    return path


FOUR = {f"10.0.1.{host}": "" for host in range(1, 5)}


def segment(port: int, flags: str = "A") -> bytes:
    return bytes(Ether(dst="02:70:63:61:70:00", src="02:00:00:00:00:01") / IP(src=CLIENT, dst=VIP, flags="DF")
                 / TCP(sport=port, dport=80, flags=flags))


def pcap(frames: list[tuple[float, bytes]], order: str = "<", magic: int = 0xA1B2C3D4, link_type: int = 1) -> bytes:
    """A capture file; times in seconds."""
    scale = 10**9 if magic == 0xA1B23C4D else 10**6
    out = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65535, link_type)
    for time, frame in frames:
        out += struct.pack(order + "IIII", int(time), round(time % 1 * scale), len(frame), len(frame)) + frame
    return out


def pcapng(frames: list[tuple[float, bytes]], order: str = "<") -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        length = struct.pack(order + "I", len(body) + 12)
        return struct.pack(order + "I", kind) + length + body + length

    out = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(1, struct.pack(order + "HHI", 1, 0, 65535))
    for time, frame in frames:
        ticks = round(time * 10**6)
        head = struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
        out += block(6, head + frame)
    return out


class Replay:
    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.config = configuration(folder / "penstock.toml", FOUR)
        self.out, self.report = folder / "out.pcap", folder / "report.json"

    def capture(self, content: bytes, name: str = "in.pcap") -> pathlib.Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def run(self, capture: pathlib.Path | str, *more: str, stdin: bytes = b"") -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(PENSTOCK), "replay", "--config", str(self.config), "--in", str(capture), "--out", str(self.out),
             "--report", str(self.report), *more],
            input=stdin, capture_output=True, timeout=60, check=False,
        )

    def verdicts(self, content: bytes, *more: str) -> list[dict]:
        answer = self.run(self.capture(content), *more)
        assert answer.returncode == 0, answer.stderr.decode()
        return json.loads(self.report.read_text(encoding="utf-8"))

    def leftovers(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.name not in ("penstock.toml", "in.pcap"))


@pytest.fixture
def replay(tmp_path):
    return Replay(tmp_path)


TIMED = [(1000.25, segment(1)), (1000.5, segment(2))]
FORMATS = {
    "microseconds": pcap(TIMED),
    "microseconds, big-endian": pcap(TIMED, ">"),
    "nanoseconds": pcap(TIMED, magic=0xA1B23C4D),
    "nanoseconds, big-endian": pcap(TIMED, ">", 0xA1B23C4D),
    "pcapng": pcapng(TIMED),
    "pcapng, big-endian": pcapng(TIMED, ">"),
}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_read(replay, form):
    packets = replay.verdicts(FORMATS[form])
    assert [(packet["index"], packet["time"]) for packet in packets] == [(1, "1000.250000000"), (2, "1000.500000000")]
    assert all(packet["verdict"] == "forward" and packet["service"] == "web" for packet in packets)
    with contextlib.closing(RawPcapReader(str(replay.out))) as reader:
        sent = list(reader)
    assert [len(frame) for frame, _ in sent] == [len(segment(1)) + 20] * 2


def test_the_next_hop_and_the_source_are_those_that_are_documented(replay):
    replay.verdicts(pcap([(0, segment(1))]))
    with contextlib.closing(RawPcapReader(str(replay.out))) as reader:
        frame = Ether(next(iter(reader))[0])
    host = frame[IP].dst.rpartition(".")[2]
    assert (frame.src, frame.dst) == ("02:70:63:61:70:00", f"02:04:0a:00:01:0{host}")


def test_standard_input_is_read(replay):
    answer = replay.run("-", stdin=pcap(TIMED))
    assert answer.returncode == 0, answer.stderr
    assert len(json.loads(replay.report.read_text(encoding="utf-8"))) == 2


def test_an_empty_capture_is_no_error(replay):
    assert replay.verdicts(pcap([])) == []


def test_a_capture_cut_anywhere_names_the_place(replay):
    """At every byte of the last record: the packet's number and where its record begins; no output is left."""
    whole = pcap(TIMED)
    begin = len(pcap(TIMED[:1]))
    for end in range(begin + 1, len(whole), 7):
        answer = replay.run(replay.capture(whole[:end]))
        said = answer.stderr.decode()
        assert answer.returncode == 1
        assert f"in.pcap, packet 2, at byte {begin}: " in said, said
        assert "help: " in said
        assert replay.leftovers() == []


def test_a_broken_capture_leaves_older_results_alone(replay):
    replay.verdicts(pcap(TIMED))
    before = replay.report.read_bytes(), replay.out.read_bytes()
    assert replay.run(replay.capture(pcap(TIMED)[:-1])).returncode == 1
    assert (replay.report.read_bytes(), replay.out.read_bytes()) == before


@pytest.mark.parametrize(("content", "words"), [
    (b"", "no capture, at byte 0"),
    (b"\xd4\xc3", "no capture, at byte 0"),
    (b"no capture at all, by far", "no capture, at byte 0"),
    (pcap(TIMED, link_type=113), "LINUX_SLL, not of Ethernet"),
    (pcapng(TIMED)[:40], "in.pcap"),
    (pcap([])[:24] + struct.pack("<IIII", 0, 0, 60, TOO_LARGE) + bytes(60), f"packet 1, at byte 24: a frame of {TOO_LARGE}"),
])
def test_what_is_no_capture_is_named(replay, content, words):
    answer = replay.run(replay.capture(content))
    assert answer.returncode == 1
    assert words in answer.stderr.decode()
    assert replay.leftovers() == []


def test_files_that_cannot_be(replay):
    capture = replay.capture(pcap(TIMED))
    assert b"cannot be opened: No such file" in replay.run(replay.folder / "nothing.pcap").stderr
    replay.out = capture
    answer = replay.run(capture)
    assert b"is the capture that is replayed" in answer.stderr
    assert capture.read_bytes() == pcap(TIMED)
    replay.out = replay.folder / "no-such-folder" / "out.pcap"
    assert b"cannot be written" in replay.run(capture).stderr


def test_usage_errors(replay):
    capture = str(replay.capture(pcap(TIMED)))
    for arguments in (["--in", capture], ["--config", str(replay.config)],
                      ["--config", str(replay.config), "--in", capture, "--flows", "some"]):
        answer = subprocess.run([str(PENSTOCK), "replay", *arguments], capture_output=True, timeout=60, check=False)
        assert answer.returncode == 2, answer.stderr


def test_a_broken_configuration_is_told_as_check_tells_it(replay):
    replay.config.write_text(CONFIGURATION.replace("BACKENDS", '{ nam = "x" }'), encoding="utf-8")
    answer = replay.run(replay.capture(pcap(TIMED)))
    assert answer.returncode == 1
    assert b"penstock.toml:" in answer.stderr
    assert b"unknown key 'nam'" in answer.stderr


def test_a_cut_frame_is_decided_as_the_whole_one(replay):
    """Captures with a snap length hold headers; the lengths of the wire count."""
    whole = bytes(Ether(segment(1))[Ether] / (b"x" * 1000))
    record = struct.pack("<IIII", 0, 0, 60, len(whole)) + whole[:60]
    packets = replay.verdicts(pcap([]) + record)
    assert packets[0]["verdict"] == "forward"
    with contextlib.closing(RawPcapReader(str(replay.out))) as reader:
        sent, meta = next(iter(reader))
    assert (len(sent), meta.wirelen) == (80, len(whole) + 20)


def ports_to(backends: dict[str, str], replay, more: list[str]) -> list[str | None]:
    frames = [(1000, segment(port)) for port in range(1000, 1200)]
    configuration(replay.config, backends)
    return [packet["backend"] for packet in replay.verdicts(pcap(frames), *more)]


def test_the_key_of_a_node_gives_its_choices(replay):
    key = replay.folder / "flow-hash-key"
    key.write_bytes(bytes(range(16)))
    plain = ports_to(FOUR, replay, [])
    assert plain == ports_to(FOUR, replay, [])
    assert plain != ports_to(FOUR, replay, ["--flow-hash-key", str(key)])
    key.write_bytes(b"short")
    assert b"5 bytes instead of 16" in replay.run(replay.folder / "in.pcap", "--flow-hash-key", str(key)).stderr


def flows_left(replay, times: list[tuple[float, bytes]], *more: str) -> int:
    return json.loads(replay.run(replay.capture(pcap(times)), "--json", *more).stdout)["flows"]


def test_flows_are_forgotten_when_their_time_has_come(replay):
    """tcp_established = 60 s of the capture's time; 12 bits of two seconds wrap after 8192 s."""
    first, second = segment(1), segment(2)
    assert flows_left(replay, [(1000, first), (1050, second)]) == 2
    assert flows_left(replay, [(1000, first), (1064, second)]) == 1
    assert flows_left(replay, [(1000, first), (1050, first), (1100, second)]) == 2
    assert flows_left(replay, [(1000, first), (1000 + 8192, second)]) == 1
    assert flows_left(replay, [(1000, first), (10, second)]) == 2, "time does not go back"
    assert flows_left(replay, [(1000, first), (1000, second)], "--flows", "fresh") == 0


def test_diff_tells_what_would_move(replay):
    other = configuration(replay.folder / "other.toml", {**FOUR, "10.0.1.3": ', state = "disabled"'})
    frames = [(1000 + i, segment(port)) for i in range(2) for port in range(1000, 1200)]
    packets = replay.verdicts(pcap(frames), "--diff", str(other))
    moved = [packet for packet in packets if packet["changed"]]
    assert moved
    assert all(packet["other"]["backend"] != "web-3" for packet in packets)
    assert all(packet["backend"] != packet["other"]["backend"] for packet in moved)
    summary = json.loads(replay.run(replay.folder / "in.pcap", "--diff", str(other), "--json").stdout)
    assert summary["changed_packets"] == len(moved) == sum(move["packets"] for move in summary["moves"])
    assert sum(move["flows"] for move in summary["moves"]) == len(moved) // 2
    same = json.loads(replay.run(replay.folder / "in.pcap", "--diff", str(replay.config), "--json").stdout)
    assert (same["changed_packets"], same["moves"]) == (0, [])


def test_diff_sees_that_a_service_goes(replay):
    other = replay.folder / "other.toml"
    other.write_text(replay.config.read_text(encoding="utf-8").replace("port = 80", "port = 81"), encoding="utf-8")
    answer = replay.run(replay.capture(pcap(TIMED)), "--diff", str(other))
    text = answer.stdout.decode()
    assert "2 of 2 packets would be decided otherwise" in text
    assert "drop: no_service" in text


def test_it_needs_no_root(replay):
    """As nobody, with results in a folder of its own."""
    if os.geteuid() != 0:
        pytest.fail("this test drops root, so it needs it")
    capture = replay.capture(pcap(TIMED))
    command = [str(PENSTOCK), "replay", "--config", str(replay.config), "--in", str(capture), "--json"]
    for path in (replay.folder, replay.config, capture):
        path.chmod(0o755)
    for parent in replay.folder.parents:
        if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/pytest"):
            parent.chmod(0o755)
    answer = subprocess.run(command, capture_output=True, timeout=60, check=False, user=65534, group=65534)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["packets"] == 2


def test_not_only_tcp(replay):
    other = bytes(Ether(dst="02:70:63:61:70:00") / IP(src=CLIENT, dst="203.0.113.9") / UDP(dport=53))
    packets = replay.verdicts(pcap([(1, segment(1)), (2, other)]))
    assert [packet["verdict"] for packet in packets] == ["forward", "kernel"]
    assert packets[1]["service"] is None
