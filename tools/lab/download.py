# SPDX-License-Identifier: Apache-2.0
"""A long download from one backend, with curl in the client's namespace."""

import itertools
import re

from lab.namespaces import LabError
from lab.processes import wait_until
from lab.topology import Topology
from lab.web import SLOW_BYTES, SLOW_BYTES_PER_S


class Download:
    """Use as a context manager: it has begun, and does not outlive the block."""

    _numbers = itertools.count(1)

    def __init__(self, topology: Topology, vip: str, port: int = 80) -> None:
        name = f"download-{next(self._numbers)}"
        self._head = topology.folder / f"{name}.head"
        self._body = topology.folder / f"{name}.body"
        command = ["curl", "-sS", "--no-buffer", "-D", str(self._head), "-o", str(self._body), f"http://{vip}:{port}/slow"]
        self._process = topology.start(name, topology.client, command)

    def __enter__(self) -> "Download":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()

    def backend(self) -> str:
        """Who sends it, as the reply's head says."""

        def read() -> str | None:
            text = self._head.read_text() if self._head.exists() else ""
            match = re.search(r"^X-Backend: (\S+)", text, re.MULTILINE)
            return match.group(1) if match else None

        return wait_until("the download began", read, 10.0, process=self._process)

    def is_running(self) -> bool:
        return self._process.is_running()

    def completed(self) -> bool:
        """Waits for its end: true if every byte came."""
        try:
            status = self._process.wait(SLOW_BYTES / SLOW_BYTES_PER_S * 3 + 10.0)
        except LabError:
            return False
        return status == 0 and self._body.stat().st_size == SLOW_BYTES
