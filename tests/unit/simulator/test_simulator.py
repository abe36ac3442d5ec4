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


SCRIPT = """\
# what an operator's afternoon looks like
0.5  drain    host-1
1    down     host-2
1.5  up       host-2
2    disable  host-3
2    weight   host-4 50
3    remove   host-1
3.5  add      host-1
3.5  enable   host-3
4    add      host-900
"""


def test_a_script_is_followed(tmp_path):
    path = tmp_path / "script.txt"
    path.write_text(SCRIPT, encoding="utf-8")
    code, figures = simulate("--seconds", "6", "--script", str(path), "--changes-per-second", "0")
    assert code == 0, figures
    assert figures["scripted_changes"] == figures["pool_changes"] == 9
    assert figures["violations"] == 0
    assert figures["moved_from_dead_backends"] > 0, "flows of host-2 and host-3 had to move"
    code, figures = simulate("--seconds", "6", "--script", str(path))
    assert (code, figures["violations"], figures["pool_changes"]) == (0, 0, 69)


def test_a_drain_moves_nothing_and_a_disable_does(tmp_path):
    path = tmp_path / "script.txt"
    path.write_text("1 drain host-1\n2 weight host-2 1\n", encoding="utf-8")
    _, figures = simulate("--seconds", "5", "--script", str(path), "--changes-per-second", "0")
    assert (figures["violations"], figures["moved_from_dead_backends"]) == (0, 0)
    path.write_text("1 disable host-1\n", encoding="utf-8")
    _, figures = simulate("--seconds", "5", "--script", str(path), "--changes-per-second", "0")
    assert figures["violations"] == 0
    assert figures["moved_from_dead_backends"] > 0


def test_a_wrong_script_names_the_place(tmp_path):
    path = tmp_path / "script.txt"
    for text, words in (
        ("1 drain host-1\nsoon drain host-1\n", "script.txt:2:1: 'soon' is no time"),
        ("2 drain host-1\n1 drain host-1\n", "script.txt:2:1: earlier than the line before"),
        ("1 frobnicate host-1\n", "script.txt:1:3: no change is called 'frobnicate': add, remove"),
        ("1 drain web-1\n", "script.txt:1:9: 'web-1' is none of host-1"),
        ("1 drain\n", "script.txt:1:8: the line ends too early"),
        ("1 weight host-1\n", "script.txt:1:16: a weight is missing"),
        ("1 weight host-1 65536\n", "script.txt:1:17: '65536' is no weight"),
        ("1 drain host-1 now\n", "script.txt:1:16: 'now' is too much"),
        ("1 remove host-777\n", "script.txt:1: host-777 is not in the pool at 1 s"),
        ("1 add host-1\n", "script.txt:1: host-1 is in the pool already at 1 s"),
    ):
        path.write_text(text, encoding="utf-8")
        command = [PROGRAM, "--flows", "1000", "--seconds", "3", "--changes-per-second", "0", "--script", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert done.returncode == 2, done.stdout
        assert words in done.stderr, done.stderr


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
