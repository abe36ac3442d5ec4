# SPDX-License-Identifier: Apache-2.0
"""Counts test cases, and never in favour of a runner that crashed, hung or ran nothing."""

import dataclasses
import pathlib
import xml.etree.ElementTree as ElementTree

FAILURE_TAGS = ("failure", "error")


@dataclasses.dataclass(frozen=True)
class Failure:
    name: str
    text: str


@dataclasses.dataclass
class Outcome:
    passed: int = 0
    failures: list[Failure] = dataclasses.field(default_factory=list)

    @property
    def failed(self) -> int:
        return len(self.failures)

    def add(self, other: "Outcome") -> None:
        self.passed += other.passed
        self.failures += other.failures


def failed(name: str, text: str) -> Outcome:
    return Outcome(failures=[Failure(name, text)])


def describe_status(status: int | None) -> str:
    """`status` as subprocess has it: negative for a signal, None for a run that was stopped at its limit."""
    if status is None:
        return "did not end within its time limit"
    if status < 0:
        return f"was ended by signal {-status}"
    return f"exited with {status}"


def _case_name(case: ElementTree.Element) -> str:
    parts = [case.get("classname", ""), case.get("name", "?")]
    return ".".join(part for part in parts if part)


def _is_skipped(case: ElementTree.Element) -> bool:
    # gtest marks it by an attribute or an element, pytest by an element.
    return case.find("skipped") is not None or case.get("result") == "skipped"


def count_junit(name: str, result: pathlib.Path, status: int | None) -> Outcome:
    """The cases of a JUnit file that gtest or pytest wrote.

    A skipped case is a failure: what is not run is not known to work. So is a runner that wrote no file,
    an unreadable one or an empty one, and one that failed although no case of it did.
    """
    try:
        root = ElementTree.parse(result).getroot()
    except (OSError, ElementTree.ParseError) as error:
        return failed(name, f"{name} {describe_status(status)} without a readable result: {error}")
    outcome = Outcome()
    for case in root.iter("testcase"):
        if case.get("status") == "notrun":
            continue  # gtest: left out by a filter or DISABLED_; a runner of only these ran nothing
        problems = [element for tag in FAILURE_TAGS for element in case.findall(tag)]
        if problems:
            texts = [element.text or element.get("message", "") for element in problems]
            outcome.failures.append(Failure(_case_name(case), "\n".join(texts)))
        elif _is_skipped(case):
            outcome.failures.append(Failure(_case_name(case), "skipped: a test that does not run proves nothing"))
        else:
            outcome.passed += 1
    if outcome.passed + outcome.failed == 0:
        return failed(name, f"{name} ran no test")
    if status != 0 and outcome.failed == 0:
        outcome.failures.append(Failure(name, f"{name} {describe_status(status)} though no test case failed"))
    return outcome


def count_status(name: str, status: int | None) -> Outcome:
    """For a runner that is one case by itself, such as a fuzz target."""
    return Outcome(passed=1) if status == 0 else failed(name, f"{name} {describe_status(status)}")
