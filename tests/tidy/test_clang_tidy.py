# SPDX-License-Identifier: Apache-2.0
"""clang-tidy 19 on core, api and what changed; on everything with PENSTOCK_TIDY_ALL=1."""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import warnings

import tree

ALWAYS = ("dataplane/core/", "dataplane/api/")
# A unit of Beast or toml++ takes a minute: a change of many files must not take the suite out of its time.
MAX_CHANGED = 12
# GCC's own options that clang does not know.
EXTRA = ("--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-error", "--extra-arg=-fno-sanitize=all")


def changed_sources() -> list[str]:
    """Of the last commit and the working tree, most changed lines first; the base is PENSTOCK_TIDY_BASE if given."""
    base = os.environ.get("PENSTOCK_TIDY_BASE", "HEAD~1")
    known = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", base], cwd=tree.ROOT, capture_output=True, check=False
    )
    if known.returncode != 0:
        return []  # the first commit, or a shallow clone: core and api remain
    listed = subprocess.run(
        ["git", "diff", "--numstat", "--no-renames", base], cwd=tree.ROOT, capture_output=True, text=True, check=True
    )
    changes = [line.split("\t") for line in listed.stdout.splitlines()]
    lines = {path: int(added) + int(removed) for added, removed, path in changes if path.endswith(".cpp")}
    return sorted(lines, key=lambda path: (-lines[path], path))


def chosen_sources() -> list[str]:
    compiled = tree.compile_commands()
    project = [path for path in sorted(compiled) if path.endswith(".cpp") and not path.startswith("build/")]
    if os.environ.get("PENSTOCK_TIDY_ALL"):
        return project
    always = [path for path in project if path.startswith(ALWAYS)]
    changed = [path for path in changed_sources() if path in compiled and path not in always]
    if left_out := changed[MAX_CHANGED:]:
        warnings.warn(f"clang-tidy left out {len(left_out)} changed files (PENSTOCK_TIDY_ALL=1 checks all): "
                      f"{', '.join(left_out)}", stacklevel=1)
    return always + changed[:MAX_CHANGED]


def run_clang_tidy(path: str, database: pathlib.Path) -> str:
    """An empty text if clang-tidy is content."""
    answer = subprocess.run(
        ["clang-tidy-19", "--quiet", "-p", str(database), *EXTRA, str(tree.ROOT / path)],
        capture_output=True, text=True, check=False,
    )
    return "" if answer.returncode == 0 else f"{path}:\n{answer.stdout[:4000]}{answer.stderr[-500:]}"


def test_clang_tidy_is_content():
    sources = chosen_sources()
    assert any(path.startswith(ALWAYS) for path in sources), "core and api must be among them"
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [text for text in pool.map(lambda path: run_clang_tidy(path, tree.DEBUG), sources) if text]
    assert not problems, "\n".join(problems)


def test_clang_tidy_finds_planted(tmp_path):
    source = tmp_path / "planted.cpp"
    source.write_text("#include <string>\nvoid take(std::string);\n"
                      "int f(int* p) { if (p == nullptr) { return *p; } return 0; }\n")
    (tmp_path / ".clang-tidy").write_text((tree.ROOT / ".clang-tidy").read_text())
    entry = {"directory": str(tmp_path), "file": str(source), "command": f"g++ -std=c++2b -c {source}"}
    (tmp_path / "compile_commands.json").write_text(json.dumps([entry]))
    problem = run_clang_tidy(str(source), tmp_path)
    assert "NullDereference" in problem
