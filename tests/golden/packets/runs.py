# SPDX-License-Identifier: Apache-2.0
"""Cases that go through a program together: starting one costs more than a thousand packets."""

import dataclasses

import cases
from exchange import Case, Exchange


@dataclasses.dataclass(frozen=True)
class Run:
    """Cases of one configuration, one after the other."""

    names: tuple[str, ...]

    @property
    def cases(self) -> list[Case]:
        return [cases.CASES[name] for name in self.names]

    @property
    def configuration(self) -> str:
        return self.cases[0].configuration.text

    @property
    def exchanges(self) -> list[Exchange]:
        return [one for case in self.cases for one in case.exchanges()]

    @property
    def down(self) -> dict[int, str]:
        return self.cases[0].down

    @property
    def in_order_out(self) -> int:
        """As many packets leave in the order in which they came; those of the cases behind leave in any."""
        return sum(len(one.expected) for case in self.cases if not case.waits for one in case.exchanges())

    def places(self) -> list[str]:
        """"ipip_4in4_tcp 3", of every packet."""
        return [f"{name} {number}" for name, case in zip(self.names, self.cases, strict=True)
                for number in range(1, len(case.exchanges()) + 1)]

    def places_out(self) -> list[str]:
        """The same of every packet that leaves."""
        return [place for place, one in zip(self.places(), self.exchanges, strict=True) for _ in one.expected]

    def unlike(self, program: str) -> str | None:
        return self.cases[0].unlike.get(program)


def make_runs() -> dict[str, Run]:
    """By the name of the first case."""
    together: dict[tuple, list[str]] = {}
    for name, case in sorted(cases.CASES.items(), key=lambda item: item[1].waits):
        own = name if case.unlike or case.down else None
        together.setdefault((case.configuration, own), []).append(name)
    return {names[0]: Run(tuple(names)) for names in together.values()}


RUNS = make_runs()
