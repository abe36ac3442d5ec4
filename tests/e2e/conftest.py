# SPDX-License-Identifier: Apache-2.0
"""The laboratory of tools/lab with Penstock in it, one a test file; see tools/lab/__init__.py for the hosts."""

import os
import pathlib
import shutil
import signal

import pytest
from lab import daemons, topology

LOGS = pathlib.Path(__file__).resolve().parents[2] / "build" / "test-logs" / "e2e"
FLAVOUR = os.environ.get("PENSTOCK_FLAVOUR", "debug")  # debug: with sanitizers; tools/demo runs the release


def terminated(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


@pytest.fixture(scope="session", autouse=True)
def clean_end():
    """SIGTERM ends a run as Ctrl-C does: through the fixtures, which remove the namespaces."""
    signal.signal(signal.SIGTERM, terminated)


@pytest.fixture(scope="module")
def lab(request):
    """Namespaces, links and web servers. Fails the file if a sanitizer reported anything by its end."""
    plan = {"vips": getattr(request.module, "VIPS", (topology.VIP,)), **getattr(request.module, "TOPOLOGY", {})}
    with topology.Topology(**plan) as made:
        yield made
        for process in reversed(made.daemon_processes()):
            if process.is_running():
                process.stop()
        reports = made.sanitizer_reports()
        keep_logs(made, request.module.__name__)
    assert not reports, "\n".join(f"{name}: {text}" for name, text in reports.items())


@pytest.fixture(scope="module")
def balancer(request, lab):
    """Penstock in its default shape: one IPIP service on all web servers, everything up."""
    services = getattr(request.module, "SERVICES", [daemons.ServicePlan(backends=lab.backends)])
    text = daemons.configuration_text(services, nat_sources=lab.nat_sources)
    made = daemons.Balancer(lab, FLAVOUR, text)
    made.start()
    return made


def keep_logs(lab: topology.Topology, name: str) -> None:
    folder = LOGS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for log in sorted(lab.folder.glob("**/*.log")):
        shutil.copy(log, folder / f"{log.parent.name}-{log.name}")
