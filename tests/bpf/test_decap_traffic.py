# SPDX-License-Identifier: Apache-2.0
"""Real TCP through penstock-decap, between the stacks of three network namespaces (tunnel_lab.py)."""

import hashlib
import json
import os
import subprocess
import time

import pytest
from tunnel_lab import DECAP, IN_PREFIX, IN_PREFIX6, PREFIX, PREFIX6, VIP, VIP6, Lab, start_decap, stop

SIZE = 2_000_000


@pytest.fixture(scope="module")
def lab():
    assert os.geteuid() == 0, "needs root, for network namespaces and XDP"
    assert DECAP.exists(), f"{DECAP} is not built: tools/build debug"
    made = Lab()
    try:
        made.build()
        yield made
    finally:
        made.clean()


def status(lab: Lab) -> dict:
    done = lab.run(lab.server, str(DECAP), "-i", "s0", "--status", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_without_decapsulator_nothing_arrives(lab):
    assert lab.fetch(f"http://{VIP}/10", timeout_s=2).returncode != 0


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_bulk_traffic_both_ways(lab, mode, tmp_path):
    body = os.urandom(SIZE)
    (tmp_path / "body").write_bytes(body)
    process = start_decap(lab, "--mode", mode)
    got = lab.fetch("--data-binary", f"@{tmp_path / 'body'}", f"http://{VIP}/")
    assert got.stdout == hashlib.sha256(body).hexdigest(), got.stderr
    got = lab.fetch(f"http://{VIP}/{SIZE}")
    assert len(got.stdout) == SIZE, got.stderr
    last, errors = stop(process)
    assert errors == ""
    assert (last["event"], last["mode"], last["vips"]) == ("detached", mode, [VIP])
    # Every byte of the upload was inside a tunnel, in packets as large as the client's MTU.
    assert last["decapsulated_bytes"] > SIZE
    assert last["decapsulated_bytes"] / last["decapsulated"] > 300
    wrong = {name: last[name] for name in ("not_a_vip", "fragment", "malformed", "dropped_ecn")}
    assert not any(wrong.values()), wrong
    assert lab.fetch(f"http://{VIP}/10", timeout_s=2).returncode != 0, "still attached"


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(("mode", "counter"), [("ipip", "ipip"), ("gre", "gre"), ("gue0", "gue"), ("gue1", "gue")])
def test_every_tunnel_to_vips_and_prefixes_of_both_families(lab, mode, counter, family):
    lab.wrap_into(mode, family)
    try:
        process = start_decap(lab, "-v", VIP6, "-v", PREFIX, "-v", PREFIX6)
        for vip in (VIP, IN_PREFIX, f"[{VIP6}]", f"[{IN_PREFIX6}]"):
            got = lab.fetch(f"http://{vip}/50000")
            assert len(got.stdout) == 50000, f"{vip}: {got.stderr}"
        last, errors = stop(process)
    finally:
        lab.wrap_into("ipip", 4)
    assert errors == ""
    assert last["decapsulated"] == last[counter] > 0
    wrong = {name: last[name] for name in ("not_a_vip", "fragment", "unsupported", "malformed", "dropped_ecn")}
    assert not any(wrong.values()), wrong


def test_a_vip_that_the_server_does_not_hold_is_named(lab):
    process = start_decap(lab, "-v", "198.51.100.99", "-v", "203.0.113.64/28", "-v", "2001:db8:77::1")
    _, errors = stop(process)
    for remedy in (
        "`ip address add 198.51.100.99/32 dev lo`",
        "`ip route add local 203.0.113.64/28 dev lo`",
        "`ip -6 address add 2001:db8:77::1/128 dev lo`",
    ):
        assert remedy in errors
    assert VIP not in errors


def test_traffic_outlives_a_killed_process(lab):
    process = start_decap(lab)
    download = lab.start(lab.client, "curl", "-sS", "--limit-rate", "400k", "-o", "/dev/null", f"http://{VIP}/{SIZE}")
    time.sleep(1)
    process.kill()
    process.communicate()
    assert lab.fetch(f"http://{VIP}/10").stdout == "x" * 10
    before = status(lab)["program_id"]
    successor = start_decap(lab)
    assert status(lab)["program_id"] != before
    assert lab.fetch(f"http://{VIP}/10").stdout == "x" * 10
    _, errors = download.communicate(timeout=30)
    assert download.returncode == 0, errors
    _, errors = stop(successor)
    assert "took the place of a decapsulator that a killed process had left attached" in errors


def test_second_is_refused_and_harms_nobody(lab):
    process = start_decap(lab)
    before = status(lab)["program_id"]
    for words in (["-v", VIP], ["--detach"]):
        second = lab.run(lab.server, str(DECAP), "-i", "s0", *words)
        assert second.returncode == 1
        assert "another penstock-decap (pid " in second.stderr and second.stderr.count("\n") == 1
    assert status(lab)["program_id"] == before
    assert lab.fetch(f"http://{VIP}/10").stdout == "x" * 10
    stop(process)


def test_detach_of_a_leftover(lab):
    process = start_decap(lab)
    process.kill()
    process.communicate()
    assert lab.run(lab.server, str(DECAP), "-i", "s0", "--detach").stdout == "penstock-decap: detached from s0\n"
    gone = lab.run(lab.server, str(DECAP), "-i", "s0", "--status")
    assert gone.returncode == 1 and "s0 has no decapsulator" in gone.stderr


def test_loss_of_the_program_is_noticed(lab):
    process = start_decap(lab)
    lab.must(lab.server, "ip link set dev s0 xdp off")
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "somebody took the decapsulator off s0" in errors


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["-i", "nope", "-v", VIP], 1, "there is no interface 'nope'"),
        (["-v", VIP], 2, "--interface is missing"),
        (["-i", "s0"], 2, "--vip is missing"),
        (["-i", "s0", "-v", "198.51.100"], 2, "--vip '198.51.100' is neither an IP address nor a prefix"),
        (["-i", "s0", "-v", "203.0.113.1/28"], 2, "--vip '203.0.113.1/28' is neither"),
        (["-i", "s0", "-v", "203.0.113.0/33"], 2, "--vip '203.0.113.0/33' is neither"),
        (["-i", "s0", "-v", "::/0"], 2, "is not a unicast address of a service"),
        (["-i", "s0", "-v", VIP, "--gue-port", "0"], 2, "--gue-port '0' is outside"),
        (["-i", "s0", "-v", VIP, "--gue-port", "65536"], 2, "--gue-port '65536' is outside"),
        (["-i", "s0", "--status", "--gue-port", "6080"], 2, "go with neither --status nor --detach"),
        (["-i", "s0", "-v", "127.0.0.1"], 2, "is not a unicast address of a service"),
        (["-i", "s0", "-v", VIP, "--mode", "fast"], 2, "--mode 'fast' is none of auto, native, generic"),
        (["-i", "s0", "-v", VIP, "--interval", "0"], 2, "--interval 0 is outside"),
        (["-i", "s0", "--status", "--detach"], 2, "exclude each other"),
        (["-i", "s0", "-v", VIP, "extra"], 2, "positional"),
        (["--no-such"], 2, "--no-such"),
    ],
)
def test_bad_command_lines(lab, words, code, message):
    done = lab.run(lab.server, str(DECAP), *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_without_root_it_says_so(lab):
    done = lab.run(lab.server, "setpriv", "--reuid", "65534", "--clear-groups", str(DECAP), "-i", "s0", "-v", VIP)
    assert done.returncode == 1
    assert "run as root" in done.stderr and done.stderr.count("\n") == 1
