# SPDX-License-Identifier: Apache-2.0
"""Runs one command with a log and a time limit. Ends only what it started."""

import os
import pathlib
import signal
import subprocess
import time

GRACE_S = 20.0  # for a runner to remove its namespaces after SIGINT


def _end_group(process: subprocess.Popen) -> None:
    for number, wait_s in ((signal.SIGINT, GRACE_S), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            continue
    # The leader is gone; what it left in its group goes with it.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(
    command: list[str],
    log: pathlib.Path,
    limit_s: float,
    environment: dict[str, str] | None = None,
    directory: str | None = None,
) -> tuple[int | None, float]:
    """Returns the exit status (negative: signal, None: stopped at the limit) and the seconds it took."""
    started = time.monotonic()
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            cwd=directory,
            start_new_session=True,
        )
        try:
            status: int | None = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            _end_group(process)
            status = None
        except BaseException:  # Ctrl-C: the runner must not outlive us
            _end_group(process)
            raise
    return status, time.monotonic() - started


def tail(log: pathlib.Path, lines: int) -> str:
    """The end of a log, for a failure whose result file says nothing."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])
