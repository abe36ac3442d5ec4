# SPDX-License-Identifier: Apache-2.0
"""The suites of tools/test: what each needs built, and its runners."""

import collections.abc
import dataclasses
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
FUZZ_S = 20

# Without halt_on_error UndefinedBehaviorSanitizer prints, goes on and exits with 0.
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


@dataclasses.dataclass(frozen=True)
class Runner:
    """`{result}` in the command is where the JUnit file goes; without it the exit status is the result."""

    name: str
    command: list[str]
    limit_s: float
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    directory: str | None = None

    @property
    def writes_result(self) -> bool:
        return any("{result}" in word for word in self.command)


@dataclasses.dataclass(frozen=True)
class Suite:
    name: str
    flavours: tuple[tuple[str, ...], ...]  # arguments of tools/build
    runners: collections.abc.Callable[[], list[Runner]]
    parallel: int = 1


def _introspect(flavour: str, what: str) -> list[dict]:
    answer = subprocess.run(
        ["meson", "introspect", what, str(BUILD / flavour)], capture_output=True, text=True, check=True
    )
    return json.loads(answer.stdout)


def gtest_runners(flavour: str, suite: str) -> list[Runner]:
    """The test executables that the build files declare for a suite."""
    runners = []
    for test in _introspect(flavour, "--tests"):
        # meson writes "project:suite".
        if suite not in (name.rpartition(":")[2] for name in test["suite"]):
            continue
        if test["protocol"] != "gtest":
            raise ValueError(f"{test['name']} of suite {suite} is no gtest: declare protocol : 'gtest', or use pytest")
        runners.append(
            Runner(
                name=f"{flavour}/{test['name']}",
                command=[*test["cmd"], "--gtest_output=xml:{result}", "--gtest_color=no"],
                limit_s=max(float(test["timeout"]) * 4, 120.0),
                environment={**SANITIZERS, **test["env"]},
                directory=test["workdir"],
            )
        )
    return runners


def pytest_runners(folder: str, limit_s: float) -> list[Runner]:
    """One runner a file, so that one that hangs takes nothing else along."""
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml={result}"]
    environment = {**SANITIZERS, "PYTHONDONTWRITEBYTECODE": "1"}
    return [
        Runner(f"{folder}/{path.stem}", [*command, str(path)], limit_s, environment, str(ROOT))
        for path in sorted((ROOT / "tests" / folder).glob("**/test_*.py"))
    ]


def unit_runners() -> list[Runner]:
    return gtest_runners("debug", "unit") + gtest_runners("tsan", "unit") + pytest_runners("unit", 200)


def golden_runners() -> list[Runner]:
    return gtest_runners("debug", "golden") + pytest_runners("golden", 300)


def bpf_runners() -> list[Runner]:
    return gtest_runners("debug", "bpf") + pytest_runners("bpf", 300)


def fuzz_runners() -> list[Runner]:
    runners = []
    for target in _introspect("fuzz", "--targets"):
        if target["type"] != "executable" or not target["name"].startswith("fuzz-"):
            continue
        name = target["name"]
        corpus = BUILD / "fuzz" / "corpus" / name
        corpus.mkdir(parents=True, exist_ok=True)
        seeds = ROOT / "tests" / "fuzz" / "corpus" / name.removeprefix("fuzz-")
        folders = [str(corpus)] + ([str(seeds)] if seeds.is_dir() else [])
        limits = [f"-max_total_time={FUZZ_S}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]
        artifact = f"-artifact_prefix={BUILD / 'test-logs' / name}-"
        runners.append(
            Runner(f"fuzz/{name}", [target["filename"][0], *limits, artifact, *folders], FUZZ_S + 100, SANITIZERS)
        )
    return runners


SUITES = (
    Suite("unit", (("debug",), ("tsan",)), unit_runners),
    Suite("golden", (("debug",),), golden_runners),
    Suite("bpf", (("debug",),), bpf_runners),
    # The call graph of a worker is that of the optimized code. And what the demo wants must compile: only a release build
    # compiles several files at once, where names may meet.
    Suite("tidy", (("debug",), ("release", "penstock-dp", "penstock-cp", "penstock", "penstock-decap")),
          lambda: pytest_runners("tidy", 600)),
    Suite("fuzz", (("fuzz",),), fuzz_runners, parallel=2),
    Suite("e2e", (("debug",),), lambda: pytest_runners("e2e", 400)),
)
