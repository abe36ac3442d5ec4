# SPDX-License-Identifier: Apache-2.0
"""What becomes of connections whose server goes down: `on_down` with real clients, and a server that hangs.

    client ── router ══ br0 ══ balancer: a VIP for each of reset, keep, rehash
                         ╚═══ web-1, web-2, web-3: web-1 is stopped (SIGSTOP) and continued

A stopped server's kernel still acknowledges what comes, so only the dataplane can have reset a connection.
"""

import os
import signal
import subprocess
import sys

import pytest
from conftest import FLAVOUR
from conservation import assert_conserved
from lab.daemons import Balancer, ServicePlan, configuration_text
from lab.topology import BACKENDS, CLIENT_ADDRESSES

POLICIES = {"reset": "198.51.100.30", "keep": "198.51.100.31", "rehash": "198.51.100.32"}
VIPS = tuple(POLICIES.values())
PROBE = '{ type = "http", path = "/healthz", interval = "300ms", timeout = "250ms", fall = 2, rise = 1 }'
SERVICES = [ServicePlan(name=name, vip=vip, backends=BACKENDS, probe=PROBE, more=(f'on_down = "{name}"',))
            for name, vip in POLICIES.items()]
VICTIM = "web-1"
# Opens connections until one is with the victim, says so, and asks again on it when told to.
CLIENT = """
import socket, sys
vip, victim, source = sys.argv[1:]
QUESTION = b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"
def answer(link):
    text = b""
    while b"\\r\\n\\r\\n" not in text or not text.endswith(b"\\n"):
        more = link.recv(4096)
        if not more:
            return "closed"
        text += more
    return text.split()[-1].decode()
for _ in range(100):
    link = socket.create_connection((vip, 80), timeout=20, source_address=(source, 0))
    link.sendall(QUESTION)
    if answer(link) == victim:
        break
    link.close()
print("connected", flush=True)
sys.stdin.readline()
try:
    link.sendall(QUESTION)
    print(answer(link), flush=True)
except ConnectionResetError:
    print("reset", flush=True)
except TimeoutError:
    print("silence", flush=True)
"""


class Client:
    def __init__(self, lab, service: str, source: str) -> None:
        command = lab.client.inside(sys.executable, "-c", CLIENT, POLICIES[service], VICTIM, source)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "connected\n"

    def ask(self) -> None:
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def answer(self) -> str:
        """Of the second question; the client ends by itself after 20 s at the latest."""
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def node(lab):
    made = Balancer(lab, FLAVOUR, configuration_text(SERVICES))
    made.start()
    made.wait_all_in_force({(name, plan.name) for name in POLICIES for plan in BACKENDS})
    return made


@pytest.fixture
def clients(lab, node):
    made = {}
    try:
        for name, source in zip(POLICIES, CLIENT_ADDRESSES, strict=False):
            made[name] = Client(lab, name, source)
        yield made
    finally:
        for client in made.values():
            client.end()


def signal_server(lab, number: int) -> None:
    """Master and worker of the victim's nginx."""
    for pid in lab.servers[VICTIM].process_ids():
        with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
            if comm.read().strip() == "nginx":
                os.kill(pid, number)


def test_a_hanging_servers_connections_are_reset_kept_or_moved(lab, node, clients):
    before, replies = node.newest_event(), node.cli_json("stats")["totals"]["replies"]
    signal_server(lab, signal.SIGSTOP)
    try:
        for name in POLICIES:
            node.wait_event("health-live", before, 20.0, service=name, backend=VICTIM, to="down")
        for client in clients.values():
            client.ask()
        assert clients["reset"].answer() == "reset"
        assert node.cli_json("stats")["totals"]["replies"] > replies, "the reset was the dataplane's"
        # The other server's kernel does not know the connection.
        assert clients["rehash"].answer() == "reset"
    finally:
        signal_server(lab, signal.SIGCONT)
    assert clients["keep"].answer() == VICTIM, "it waited for its server"
    assert_conserved(node, least_packets=20)
