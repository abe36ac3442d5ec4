# SPDX-License-Identifier: Apache-2.0
"""The requests that lab/load.py made: run it, read them, count them."""

import collections
import dataclasses
import itertools
import pathlib

from lab.namespaces import LabError
from lab.processes import Process
from lab.topology import CLIENT_ADDRESSES, Topology

PROGRAM = pathlib.Path(__file__).with_name("load.py")


@dataclasses.dataclass(frozen=True)
class Request:
    start_ns: int  # wall clock
    end_ns: int
    said: str  # the backend's name, or "!…" for a failure

    @property
    def failed(self) -> bool:
        return self.said.startswith("!")


class Requests(list[Request]):
    def failures(self) -> "Requests":
        return Requests(request for request in self if request.failed)

    def started_from(self, start_ns: int) -> "Requests":
        return Requests(request for request in self if request.start_ns >= start_ns)

    def started_before(self, end_ns: int) -> "Requests":
        return Requests(request for request in self if request.start_ns < end_ns)

    def ended_before(self, end_ns: int) -> "Requests":
        return Requests(request for request in self if request.end_ns < end_ns)

    def shares(self) -> dict[str, float]:
        """Backend → fraction of the requests that were answered."""
        counts = collections.Counter(request.said for request in self if not request.failed)
        total = sum(counts.values())
        return {name: counts[name] / total for name in sorted(counts)}

    def failure_kinds(self) -> dict[str, int]:
        return dict(collections.Counter(request.said[1:] for request in self if request.failed))


class RunningLoad:
    """Requests in the background. finish() ends it and returns them all."""

    _numbers = itertools.count(1)

    def __init__(self, topology: Topology, vip: str, *, port: int = 80, requests: int = 0, parallel: int = 16,
                 rate: float = 0.0, limit_s: float = 5.0) -> None:
        name = f"load-{next(self._numbers)}"
        self._output = topology.folder / f"{name}.requests"
        command = [
            str(PROGRAM), "--vip", vip, "--port", str(port), "--sources", ",".join(CLIENT_ADDRESSES),
            "--requests", str(requests), "--parallel", str(parallel), "--rate", str(rate),
            "--limit", str(limit_s), "--output", str(self._output),
        ]
        self.process: Process = topology.start(name, topology.client, command)

    def wait(self, limit_s: float) -> Requests:
        """For a load with a number of requests: its end."""
        status = self.process.wait(limit_s)
        if status != 0:
            raise LabError(f"the load generator ended with {status}:\n{self.process.log_tail()}")
        return self._read()

    def finish(self, limit_s: float = 15.0) -> Requests:
        self.process.require_running()  # one that ended by itself proves nothing
        self.process.stop(limit_s)
        return self.wait(1.0)

    def _read(self) -> Requests:
        made = Requests()
        for line in self._output.read_text().splitlines():
            start, end, said = line.split(" ", 2)
            made.append(Request(int(start), int(end), said))
        if not made:
            raise LabError(f"the load generator made no request:\n{self.process.log_tail()}")
        return made
