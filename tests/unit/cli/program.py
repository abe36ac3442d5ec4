# SPDX-License-Identifier: Apache-2.0
"""Runs the program penstock, in a pipe and on a terminal, and compares what it prints with golden files.

PENSTOCK_REGENERATE=1 writes the golden files anew; look at the difference before you commit it."""

import os
import pathlib
import pty
import subprocess

FOLDER = pathlib.Path(__file__).parent
ROOT = FOLDER.parents[2]
PROGRAM = os.environ.get("PENSTOCK_CLI", str(ROOT / "build" / "debug" / "tools" / "cli" / "penstock"))
LIMIT_S = 60


def environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("PENSTOCK_SOCKET", "NO_COLOR")}
    return {**clean, "TERM": "xterm", **more}


def run(*arguments: str, text: str = "", **more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [PROGRAM, *arguments], input=text, capture_output=True, text=True, env=environment(**more),
        timeout=LIMIT_S, check=False,
    )


def run_on_terminal(*arguments: str, **more: str) -> str:
    """Standard output as a terminal gets it."""
    terminal, side = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=side, stderr=subprocess.PIPE, env=environment(**more)
    ) as process:
        os.close(side)
        output = b""
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # EIO: the other side has closed
                break
            if not part:
                break
            output += part
        os.close(terminal)
        assert process.wait(LIMIT_S) == 0, process.stderr.read()
    return output.decode().replace("\r\n", "\n")


def assert_golden(name: str, text: str) -> None:
    path = FOLDER / "golden" / f"{name}.txt"
    visible = text.replace("\x1b", "<ESC>")
    if os.environ.get("PENSTOCK_REGENERATE") == "1":
        path.write_text(visible)
    assert visible == path.read_text()
