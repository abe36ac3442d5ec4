# SPDX-License-Identifier: Apache-2.0
"""The simulator behind tools/simulate: it finds nothing where there is nothing, and what is there it finds.
PENSTOCK_SIMULATE names another build of the program than build/debug."""

import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILT = ROOT / "build" / "debug" / "tools" / "simulator" / "penstock-simulate"
PROGRAM = os.environ.get("PENSTOCK_SIMULATE", str(BUILT))
LIMIT_S = 150  # under sanitizers, on a busy machine


def simulate(*options: str) -> tuple[int, dict]:
    """Its exit code and figures."""
    command = [PROGRAM, "--json", "--flows", "20000", "--backends", "20", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert not done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_no_flow_leaves_a_backend_that_is_there():
    code, figures = simulate("--seconds", "10")
    assert code == 0, figures
    assert figures["violations"] == 0
    # A run without traffic, changes or deaths would find nothing either.
    assert figures["packets"] > 20_000, figures
    assert figures["flows_started"] > 0, figures
    assert figures["pool_changes"] == 100, figures
    assert figures["moved_from_dead_backends"] > 0, figures
    assert figures["flows_unplaced"] == 0, figures


def test_a_table_far_too_small_is_found_out():
    code, figures = simulate("--seconds", "5", "--capacity", "100")
    assert code == 1, figures
    assert figures["violations"] > 0, figures
    assert figures["flows_unplaced"] + figures["flows_withheld"] > 0, figures


def test_the_same_seed_gives_the_same_figures():
    runs = [simulate("--seconds", "3", "--seed", "7")[1] for _ in range(2)]
    for figures in runs:
        figures.pop("elapsed_seconds")
    assert runs[0] == runs[1]
    other = simulate("--seconds", "3", "--seed", "8")[1]
    assert other["flows_started"] != runs[0]["flows_started"], "the seed has no say"


def test_usage_errors_exit_with_2():
    for option in ("--no-such-option", "--flows=0"):
        done = subprocess.run([PROGRAM, option], capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("simulate: "), done.stderr
