# SPDX-License-Identifier: Apache-2.0
"""Processes that a laboratory started: each has a log, and each is ended by its own pid."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

from lab.namespaces import LabError, Namespace

SANITIZER = re.compile(r"ERROR: (Address|Leak|Thread)Sanitizer|runtime error: |WARNING: ThreadSanitizer")


class Process:
    def __init__(self, name: str, namespace: Namespace, command: list[str], log: pathlib.Path,
                 environment: dict[str, str] | None = None) -> None:
        self.name = name
        self.log = log
        self._command = command
        # Appended: a restarted daemon keeps what its predecessor said. A session of its own, so that Ctrl-C
        # reaches us alone and we decide the order of the end.
        with open(log, "ab") as output:
            self._popen = subprocess.Popen(
                namespace.inside(*command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})}, start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def status(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._popen.poll()

    def is_running(self) -> bool:
        return self.status() is None

    def signal(self, number: int) -> None:
        if self.is_running():
            os.kill(self.pid, number)

    def wait(self, limit_s: float) -> int:
        try:
            return self._popen.wait(limit_s)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.name} (pid {self.pid}) still runs after {limit_s} s; log: {self.log}") from error

    def stop(self, limit_s: float = 10.0) -> int:
        """SIGTERM, then its exit status. LabError if it does not obey; it is killed then."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(limit_s)
        except LabError:
            self.kill()
            raise

    def kill(self) -> int:
        """kill -9, of its whole session: nginx has workers."""
        if self.is_running():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        return self.wait(10.0)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(self.log_text().splitlines()[-lines:])

    def sanitizer_report(self) -> str:
        """What a sanitizer wrote, or an empty text."""
        text = self.log_text()
        match = SANITIZER.search(text)
        return text[match.start() : match.start() + 4000] if match else ""

    def require_running(self) -> None:
        if not self.is_running():
            raise LabError(f"{self.name} ended with {self.status()}; its log ends:\n{self.log_tail()}")


def wait_until(what: str, condition, limit_s: float, interval_s: float = 0.02, process: Process | None = None):
    """The first true value of `condition()`; LabError with `what` when the time is over or `process` ends."""
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if process is not None:
            process.require_running()
        if time.monotonic() >= end:
            said = f"; log of {process.name} ends:\n{process.log_tail()}" if process is not None else ""
            raise LabError(f"not within {limit_s:g} s: {what}{said}")
        time.sleep(interval_s)
