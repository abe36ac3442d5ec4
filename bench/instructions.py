#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/bench instructions: instructions per item of the micro cases, counted by callgrind.

Times differ from run to run, counts do not: a change of the code shows even on a busy machine. The counts that
the tree is known to have are in bench/instructions.json; they are those of its compiler and libraries.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
STORED = ROOT / "bench" / "instructions.json"
NOISE = 0.01  # addresses of allocations change a search or two
LIMIT_S = 600


def count(program: pathlib.Path) -> dict[str, float]:
    """Instructions per item by case name."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--collect-atstart=no", f"--callgrind-out-file={folder}/out",
                   str(program), "--count-instructions"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        if answer.returncode != 0:
            raise SystemExit(f"bench: {program.name} under valgrind ended with {answer.returncode}:\n{answer.stderr[-1000:]}")
        counts = {}
        for path in pathlib.Path(folder).iterdir():
            counts |= read_dump(path.read_text(encoding="utf-8"))
    if not counts:
        raise SystemExit("bench: callgrind wrote no counts")
    return dict(sorted(counts.items()))


def read_dump(text: str) -> dict[str, float]:
    trigger = re.search(r"^desc: Trigger: Client Request: (\S+) (\d+)$", text, re.MULTILINE)
    total = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
    if not trigger or not total:
        return {}  # the dump at the end of the program
    return {trigger[1]: round(int(total[1]) / int(trigger[2]), 1)}


def compare(before: dict[str, float], after: dict[str, float]) -> list[dict]:
    rows = []
    for case in sorted(before.keys() | after.keys()):
        row = {"case": case, "stored": before.get(case), "now": after.get(case), "moved": True}
        if row["stored"] is not None and row["now"] is not None:
            row["change"] = round(row["now"] / row["stored"] - 1, 4)
            row["moved"] = abs(row["change"]) > NOISE
        rows.append(row)
    return rows


def show(rows: list[dict]) -> None:
    print(f"{'case':<28} {'stored':>12} {'now':>12} {'change':>9}")
    for row in rows:
        cells = ["-" if row[key] is None else f"{row[key]:,.1f}" for key in ("stored", "now")]
        change = f"{row['change']:+.1%}" if "change" in row else "new" if row["stored"] is None else "gone"
        print(f"{row['case']:<28} {cells[0]:>12} {cells[1]:>12} {change:>9}{'  <- moved' if row['moved'] else ''}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tools/bench instructions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  tools/bench instructions\n  tools/bench instructions --store   # after a change that is meant",
    )
    parser.add_argument("--store", action="store_true", help="write the counts to bench/instructions.json")
    parser.add_argument("--json", metavar="FILE", help="write the rows to this file")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/bench/bench-micro",
                        help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    print("bench: counting under callgrind, about half a minute", file=sys.stderr)
    now = count(arguments.program)
    rows = compare(json.loads(STORED.read_text()) if STORED.exists() else {}, now)
    show(rows)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(rows) + "\n")
    if arguments.store:
        STORED.write_text(json.dumps(now, indent=2) + "\n")
        print(f"bench: stored in {STORED.relative_to(ROOT)}")
        return 0
    moved = [row["case"] for row in rows if row["moved"]]
    if moved:
        print(f"bench: {len(moved)} of {len(rows)} counts moved by more than {NOISE:.0%}; --store accepts them",
              file=sys.stderr)
    return 1 if moved else 0


if __name__ == "__main__":
    sys.exit(main())
