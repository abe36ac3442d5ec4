# SPDX-License-Identifier: Apache-2.0
"""A penstock-cp for tests of its API: no dataplane, no probes, everything in one folder."""

import contextlib
import os
import pathlib
import socket
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = os.environ.get("PENSTOCK_CP", str(ROOT / "build/debug/controlplane/penstock-cp"))
NODE = """\
[node]
name = "lb-a"
[dataplane]
workers = [1]
[[dataplane.port]]
name = "edge0"
interface = "eth1"
"""
SERVICE = """\
[[service]]
name = "web"
vip = "198.51.100.10"
protocol = "tcp"
port = 80
forwarding = "ipip"
probe = { type = "none" }
backend = [ { name = "b0", address = "10.0.1.11" }, { name = "b1", address = "10.0.1.12", weight = 7 } ]
"""


@contextlib.contextmanager
def run_control_plane(folder: pathlib.Path, configuration: str):
    """Yields the process, which may not serve yet; at the end it must stop when asked, with status 0."""
    (folder / "penstock.toml").write_text(configuration)
    (folder / "run").mkdir(exist_ok=True)
    with open(folder / "cp.log", "ab") as log:
        process = subprocess.Popen(
            [PROGRAM, "--config", str(folder / "penstock.toml"), "--state-dir", str(folder / "state"),
             "--runtime-dir", str(folder / "run")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)
    # A sanitizer ends the program with a report and another status.
    assert process.returncode == 0, (folder / "cp.log").read_text()[-5000:]


def connect_local(folder: pathlib.Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(30)
    connection.connect(str(folder / "run/control.sock"))
    return connection
