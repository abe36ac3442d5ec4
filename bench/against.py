#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/bench --against REV: does this tree forward slower or faster than another revision?

Builds both, REV in a worktree of its own, runs `pipeline --quick` of the two in turns, and compares each case's
runs. A case moved if the medians differ by more than the noise: what the runs of one side alone differ by
(half their spread, quartile to quartile, of the noisier side, doubled) and never less than 2 %.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
LEAST_NOISE = 0.02
LIMIT_S = 900


def run(*command: str, directory: pathlib.Path = ROOT) -> str:
    answer = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise SystemExit(f"bench: {' '.join(command)}: {(answer.stderr or answer.stdout).strip()[-1500:]}")
    return answer.stdout


def build_revision(revision: str) -> pathlib.Path:
    """The program of that revision; its worktree stays, so that the next comparison builds only what changed."""
    commit = run("git", "rev-parse", "--verify", f"{revision}^{{commit}}").strip()
    tree = ROOT / "build" / "against"
    if (tree / ".git").exists():
        run("git", "checkout", "-q", "--detach", "-f", commit, directory=tree)
    else:
        run("git", "worktree", "prune")
        run("git", "worktree", "add", "-q", "--detach", str(tree), commit)
    print(f"bench: building {revision} ({commit[:10]}) in {tree.relative_to(ROOT)}", file=sys.stderr)
    run("tools/build", "release", "bench-pipeline", directory=tree)
    return tree / "build/release/bench/bench-pipeline"


def measure(program: pathlib.Path, arguments: list[str]) -> dict[tuple[str, int], float]:
    with tempfile.NamedTemporaryFile(suffix=".json") as rows:
        command = [str(program), "--quick", "--json", rows.name, *arguments]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        if answer.returncode != 0:
            raise SystemExit(f"bench: {program} ended with {answer.returncode}: {answer.stderr.strip()[-1000:]}")
        return {(row["case"], row["flows"]): row["cycles_min"] for row in json.loads(rows.read())}


def noise_of(samples: list[float]) -> float:
    if len(samples) < 3:
        return 0.0
    quarters = statistics.quantiles(samples, n=4, method="inclusive")
    return (quarters[2] - quarters[0]) / statistics.median(samples)


def compare(before: dict, after: dict) -> list[dict]:
    """Rows of the cases that both have."""
    rows = []
    for case, flows in before.keys() & after.keys():
        old, new = before[case, flows], after[case, flows]
        noise = max(LEAST_NOISE, noise_of(old), noise_of(new))
        change = statistics.median(new) / statistics.median(old) - 1
        rows.append({
            "case": case, "flows": flows, "before_cycles": round(statistics.median(old), 1),
            "after_cycles": round(statistics.median(new), 1), "change": round(change, 4), "noise": round(noise, 4),
            "moved": abs(change) > noise,
        })
    return sorted(rows, key=lambda row: (row["flows"], row["case"]))


def show(rows: list[dict]) -> None:
    print(f"{'case':<18} {'flows':>9} {'before':>8} {'after':>8} {'change':>8} {'noise':>7}")
    for row in rows:
        verdict = "" if not row["moved"] else "  <- slower" if row["change"] > 0 else "  <- faster"
        print(f"{row['case']:<18} {row['flows']:>9} {row['before_cycles']:>8.1f} {row['after_cycles']:>8.1f} "
              f"{row['change']:>+8.1%} {row['noise']:>7.1%}{verdict}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tools/bench --against REV", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  tools/bench --against HEAD~1\n  tools/bench --against main --runs 9 --only tcp4_ipip --json moved.json",
    )
    parser.add_argument("revision", help="a commit of this repository")
    parser.add_argument("--runs", type=int, default=5, help="of each side (default: %(default)s)")
    parser.add_argument("--only", metavar="TEXT", help="only cases whose name holds TEXT; both sides must know --only")
    parser.add_argument("--json", metavar="FILE", help="write the rows to this file")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs must be 1 or more")
    theirs = build_revision(arguments.revision)
    run("tools/build", "release", "bench-pipeline")
    ours = ROOT / "build/release/bench/bench-pipeline"
    options = ["--only", arguments.only] if arguments.only else []
    before: dict = {}
    after: dict = {}
    for turn in range(arguments.runs):
        print(f"bench: run {turn + 1} of {arguments.runs} of each side", file=sys.stderr)
        order = [(theirs, before), (ours, after)]
        for program, samples in order if turn % 2 == 0 else reversed(order):
            for key, cycles in measure(program, options).items():
                samples.setdefault(key, []).append(cycles)
    rows = compare(before, after)
    show(rows)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(rows) + "\n")
    slower = [row for row in rows if row["moved"] and row["change"] > 0]
    faster = [row for row in rows if row["moved"] and row["change"] < 0]
    print(f"bench: {len(slower)} slower, {len(faster)} faster, {len(rows) - len(slower) - len(faster)} within noise")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
