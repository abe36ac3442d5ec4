# SPDX-License-Identifier: Apache-2.0
"""The files that the tidy tests judge: what git knows or would take."""

import functools
import json
import pathlib
import shlex
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEBUG = ROOT / "build" / "debug"
RELEASE = ROOT / "build" / "release"
CPP = (".cpp", ".hpp", ".c", ".h")


@functools.cache
def all_files() -> tuple[str, ...]:
    """Paths from the root, of tracked files and new ones that are not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")
    found = tuple(sorted(path for path in set(listed) if path and (ROOT / path).is_file()))
    assert len(found) > 20, "the list of files is wrong"
    return found


def files(*suffixes: str, under: str = "") -> list[str]:
    return [path for path in all_files() if path.endswith(suffixes) and path.startswith(under)]


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def scripts(interpreter: str) -> list[str]:
    """Executables without a suffix whose first line names `interpreter`."""
    found = []
    for path in all_files():
        if "." in pathlib.PurePath(path).name:
            continue
        with open(ROOT / path, "rb") as opened:
            first = opened.readline()
        if first.startswith(b"#!") and interpreter.encode() in first:
            found.append(path)
    return found


def python_files() -> list[str]:
    return files(".py") + scripts("python3")


@functools.cache
def compile_commands() -> dict[str, list[str]]:
    """Path from the root → its compiler command, of the debug flavour."""
    entries = json.loads((DEBUG / "compile_commands.json").read_text())
    commands = {}
    for entry in entries:
        path = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if path.is_relative_to(ROOT):
            commands[str(path.relative_to(ROOT))] = shlex.split(entry["command"])
    return commands
