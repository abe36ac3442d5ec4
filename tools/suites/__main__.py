# SPDX-License-Identifier: Apache-2.0
"""tools/test: builds what the chosen suites need, runs them, prints `N passed, N failed` last."""

import argparse
import concurrent.futures
import pathlib
import subprocess
import sys
import time

from suites import catalog, outcome, process

FAILURE_LINES = 60
NAMES = [suite.name for suite in catalog.SUITES]


def say(text: str) -> None:
    print(text, flush=True)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/test",
        description="Run the tests: all suites, or those that you name. Logs are kept in build/test-logs.",
        epilog="Exit codes: 0 all passed, 1 something failed, 2 usage.",
    )
    parser.add_argument("suite", nargs="*", default=["all"], help=f"all (the default), {', '.join(NAMES)}")
    parser.add_argument("--only", default="", metavar="TEXT", help="only runners whose name contains TEXT")
    parsed = parser.parse_args(arguments)
    unknown = [name for name in parsed.suite if name not in [*NAMES, "all"]]
    if unknown:
        parser.error(f"unknown suite {unknown[0]!r}; choose from: all, {', '.join(NAMES)}")
    return parsed


def build(flavours: list[tuple[str, ...]]) -> dict[tuple[str, ...], bool]:
    """What was built. A flavour that was not fails every suite that needs it."""
    return {
        flavour: subprocess.run([catalog.ROOT / "tools" / "build", *flavour], check=False).returncode == 0
        for flavour in flavours
    }


def run_one(runner: catalog.Runner, logs: pathlib.Path) -> outcome.Outcome:
    stem = runner.name.replace("/", "-")
    log, result = logs / f"{stem}.log", logs / f"{stem}.xml"
    result.unlink(missing_ok=True)  # an old one must not count
    command = [word.replace("{result}", str(result)) for word in runner.command]
    try:
        status, seconds = process.run(command, log, runner.limit_s, runner.environment, runner.directory)
    except OSError as error:
        counted = outcome.failed(runner.name, f"could not be started: {error}")
        say(f"  {runner.name:44} FAILED, could not be started")
        return counted
    if runner.writes_result:
        counted = outcome.count_junit(runner.name, result, status)
    else:
        counted = outcome.count_status(runner.name, status)
    verdict = f"{counted.failed} FAILED" if counted.failed else "ok"
    say(f"  {runner.name:44} {counted.passed:5} passed  {verdict}  {seconds:.1f} s")
    for failure in counted.failures:
        if failure.name == runner.name:  # the runner itself: its log says why
            text = f"{failure.text}\n{process.tail(log, FAILURE_LINES)}"
        else:
            text = "\n".join(failure.text.splitlines()[:FAILURE_LINES])
        say(f"--- FAILED {failure.name}\n{text}\n--- log: {log.relative_to(catalog.ROOT)}")
    return counted


def run_suite(suite: catalog.Suite, only: str, logs: pathlib.Path) -> outcome.Outcome:
    total = outcome.Outcome()
    try:
        runners = [runner for runner in suite.runners() if only in runner.name]
    except (subprocess.CalledProcessError, OSError, ValueError) as error:
        say(f"--- FAILED {suite.name}: its tests cannot be listed: {error}")
        return outcome.failed(suite.name, str(error))
    if not runners and only:
        say(f"  nothing matches {only}")
        return total  # main() fails if that is so of all suites
    if not runners:
        say(f"--- FAILED {suite.name}: it has no test")
        return outcome.failed(suite.name, "no test")
    with concurrent.futures.ThreadPoolExecutor(suite.parallel) as pool:
        for counted in pool.map(lambda runner: run_one(runner, logs), runners):
            total.add(counted)
    return total


def main(arguments: list[str]) -> int:
    parsed = parse_arguments(arguments)
    chosen = [suite for suite in catalog.SUITES if "all" in parsed.suite or suite.name in parsed.suite]
    logs = catalog.BUILD / "test-logs"
    logs.mkdir(parents=True, exist_ok=True)
    total = outcome.Outcome()
    started = time.monotonic()
    built = build(list(dict.fromkeys(flavour for suite in chosen for flavour in suite.flavours)))
    for suite in chosen:
        say(f"{suite.name}:")
        missing = [" ".join(flavour) for flavour in suite.flavours if not built[flavour]]
        if missing:
            say(f"--- FAILED {suite.name}: not run, tools/build {missing[0]} failed (above)")
            total.add(outcome.failed(suite.name, "not built"))
            continue
        total.add(run_suite(suite, parsed.only, logs))
    if total.passed + total.failed == 0:
        say(f"--- FAILED: no test matches {parsed.only}")
        total.add(outcome.failed("--only", "no test"))
    say(f"took {time.monotonic() - started:.0f} s; failed: {', '.join(f.name for f in total.failures) or 'none'}")
    say(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or total.passed == 0 else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("interrupted\n0 passed, 1 failed")
        sys.exit(1)
