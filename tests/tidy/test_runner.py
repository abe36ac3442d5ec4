# SPDX-License-Identifier: Apache-2.0
"""tools/test must never count a runner that failed, crashed, hung or ran nothing as passed."""

import pathlib
import re
import subprocess
import sys

import pytest
import tree
from suites import catalog, outcome, process
from suites import __main__ as suites_main

GOOD = '<testsuites><testsuite><testcase classname="A" name="b" status="run"/></testsuite></testsuites>'
BAD = '<testsuites><testsuite><testcase name="b"><failure message="no"/></testcase></testsuite></testsuites>'
ERROR = '<testsuite><testcase name="b"><error message="in set-up"/></testcase></testsuite>'
SKIPPED = '<testsuite><testcase name="b"/><testcase name="c"><skipped message="x"/></testcase></testsuite>'
NOT_RUN = '<testsuite><testcase name="b" status="notrun"/></testsuite>'


def count(tmp_path: pathlib.Path, text: str | None, status: int | None) -> tuple[int, int]:
    result = tmp_path / "result.xml"
    if text is not None:
        result.write_text(text)
    counted = outcome.count_junit("runner", result, status)
    return counted.passed, counted.failed


@pytest.mark.parametrize(
    ("text", "status", "expected"),
    [
        (GOOD, 0, (1, 0)),
        (GOOD, 1, (1, 1)),  # failed outside of its cases
        (GOOD, -11, (1, 1)),  # crashed after the last case
        (GOOD, None, (1, 1)),  # hung at its end
        (BAD, 1, (0, 1)),
        (BAD, 0, (0, 1)),
        (ERROR, 1, (0, 1)),
        (SKIPPED, 0, (1, 1)),
        (NOT_RUN, 0, (0, 1)),
        ("<testsuites/>", 0, (0, 1)),
        ("<testsuites><testcase", 0, (0, 1)),
        (None, 0, (0, 1)),
        (None, -6, (0, 1)),
    ],
)
def test_counting(tmp_path, text, status, expected):
    assert count(tmp_path, text, status) == expected


def test_a_status_is_one_case():
    assert outcome.count_status("fuzz", 0).passed == 1
    assert outcome.count_status("fuzz", 77).failed == 1
    assert outcome.count_status("fuzz", None).failed == 1


def python_runner(name: str, code: str, limit_s: float = 20.0) -> catalog.Runner:
    return catalog.Runner(name, [sys.executable, "-c", code, "{result}"], limit_s)


WRITE_GOOD = f"import sys; open(sys.argv[1], 'w').write({GOOD!r})"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (WRITE_GOOD, (1, 0)),
        (f"{WRITE_GOOD}; sys.exit(3)", (1, 1)),
        (f"{WRITE_GOOD}; import os; os.abort()", (1, 1)),
        ("import sys; sys.exit(0)", (0, 1)),
        (f"{WRITE_GOOD.replace(GOOD, BAD)}; sys.exit(1)", (0, 1)),
    ],
)
def test_fake_runners(tmp_path, monkeypatch, code, expected):
    monkeypatch.setattr(catalog, "ROOT", tmp_path)
    counted = suites_main.run_one(python_runner("fake/runner", code), tmp_path)
    assert (counted.passed, counted.failed) == expected


def test_an_old_result_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "ROOT", tmp_path)
    (tmp_path / "fake-runner.xml").write_text(GOOD)
    assert suites_main.run_one(python_runner("fake/runner", "pass"), tmp_path).failed == 1


def test_a_hanging_runner_is_ended_with_its_children(tmp_path):
    code = "import subprocess, time; print(subprocess.Popen(['sleep', '300']).pid, flush=True); time.sleep(300)"
    log = tmp_path / "log"
    status, seconds = process.run([sys.executable, "-c", code], log, limit_s=1.0)
    assert status is None
    assert seconds < 60
    child = pathlib.Path("/proc") / log.read_text().split()[0] / "stat"
    assert not child.exists() or " Z " in child.read_text()


def test_an_empty_suite_fails(tmp_path):
    suite = catalog.Suite("empty", (), lambda: [])
    assert suites_main.run_suite(suite, "", tmp_path).failed == 1


def test_only_fails_if_nothing_matches_at_all(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(catalog, "BUILD", tmp_path)
    monkeypatch.setattr(catalog, "ROOT", tmp_path)
    good = python_runner("fake/good", WRITE_GOOD)
    suites = (catalog.Suite("unit", (), lambda: [good]), catalog.Suite("e2e", (), lambda: []))
    monkeypatch.setattr(catalog, "SUITES", suites)
    for only, last_line, code in (("good", "1 passed, 0 failed", 0), ("absent", "0 passed, 1 failed", 1)):
        assert suites_main.main(["all", "--only", only]) == code
        assert capsys.readouterr().out.splitlines()[-1] == last_line


def test_last_line_and_exit_code(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(catalog, "BUILD", tmp_path)
    monkeypatch.setattr(catalog, "ROOT", tmp_path)
    good = python_runner("fake/good", WRITE_GOOD)
    crash = python_runner("fake/crash", "import os; os.abort()")
    for runners, last_line, code in (([good], "1 passed, 0 failed", 0), ([good, crash], "1 passed, 1 failed", 1)):
        monkeypatch.setattr(catalog, "SUITES", (catalog.Suite("unit", (), lambda runners=runners: runners),))
        assert suites_main.main(["unit"]) == code
        assert capsys.readouterr().out.splitlines()[-1] == last_line


def test_a_failed_build_fails_its_suite(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(catalog, "BUILD", tmp_path)
    suite = catalog.Suite("unit", (("debug",),), lambda: [])
    monkeypatch.setattr(catalog, "SUITES", (suite,))
    monkeypatch.setattr(suites_main, "build", lambda flavours: {flavour: False for flavour in flavours})
    assert suites_main.main(["unit"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 1 failed"


def test_usage_errors_exit_with_2():
    for tool in ("test", "build", "bench"):
        answer = subprocess.run([tree.ROOT / "tools" / tool, "no-such-thing"], capture_output=True, check=False)
        assert answer.returncode == 2, tool


def meson_test(name: str, protocol: str) -> dict:
    return {"name": name, "protocol": protocol, "suite": ["penstock:unit"], "cmd": ["x"], "env": {}, "timeout": 30,
            "workdir": None}


def test_a_meson_test_that_is_no_gtest_fails_its_suite(tmp_path, monkeypatch, capsys):
    """It would be given the flags of a gtest, and misread."""
    tests = [meson_test("good", "gtest")]
    monkeypatch.setattr(catalog, "_introspect", lambda flavour, what: tests)
    assert [runner.name for runner in catalog.gtest_runners("debug", "unit")] == ["debug/good"]
    tests.append(meson_test("script", "exitcode"))
    suite = catalog.Suite("unit", (), lambda: catalog.gtest_runners("debug", "unit"))
    assert suites_main.run_suite(suite, "", tmp_path).failed == 1
    assert "script of suite unit is no gtest" in capsys.readouterr().out


PYTEST_FILES = {
    "bpf": {"test_decap_traffic", "test_probe_path"},
    "e2e": {"test_backend_health", "test_bonding", "test_controlplane_crash", "test_dataplane_restart", "test_drain",
            "test_exception_path", "test_explain", "test_forwarding", "test_hostile_control", "test_jumbo_frames",
            "test_l2dsr", "test_modes", "test_nat_workers", "test_on_down", "test_path_mtu", "test_policy",
            "test_probe_by_vip", "test_quic", "test_reload", "test_start_errors", "test_two_ports", "test_vlan"},
    "golden": {"test_dataplane", "test_packets", "test_two_workers"},
    "tidy": {"test_clang_tidy", "test_configuration_schema", "test_docs", "test_headers", "test_includes",
             "test_lengths", "test_runner", "test_style", "test_worker_calls"},
    "unit": {"test_api_fuzz", "test_changes", "test_completion", "test_datagram_probe", "test_documents",
             "test_events", "test_failures", "test_grpc_probe", "test_http_probe", "test_network_abuse",
             "test_network_login", "test_network_reload", "test_operating", "test_replay", "test_simulator",
             "test_start", "test_stream_probe", "test_token", "test_top"},
}


def test_no_pytest_file_vanishes():
    """A file that is renamed, or removed with a merge, lessens the count in silence."""
    for folder, names in PYTEST_FILES.items():
        found = {runner.name.removeprefix(f"{folder}/") for runner in catalog.pytest_runners(folder, 1)}
        assert found == names, f"tests/{folder}: mend PYTEST_FILES if this is meant"


def test_every_file_with_tests_has_a_name_that_is_run():
    for path in sorted((tree.ROOT / "tests").glob("**/*.py")):
        if "\ndef test_" in path.read_text():
            assert path.name.startswith("test_"), f"{path.relative_to(tree.ROOT)} is never run: name it test_*.py"


def test_no_fuzz_target_vanishes():
    declared = (tree.ROOT / "tests" / "fuzz" / "meson.build").read_text()
    assert set(re.findall(r"executable\('([^']+)'", declared)) == {
        "fuzz-api-request", "fuzz-configuration", "fuzz-control-message", "fuzz-nat",
        "fuzz-packet", "fuzz-quic-lb", "fuzz-replay",
    }


def test_ci_runs_everything():
    assert "tools/test" in (tree.ROOT / ".ci" / "run").read_text()
    tests = {path.name for path in (tree.ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert tests <= {suite.name for suite in catalog.SUITES}, "a folder of tests that no suite runs"
