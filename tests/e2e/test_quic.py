# SPDX-License-Identifier: Apache-2.0
"""A real QUIC client changes its address and port in the middle of a connection, and stays with its server.

    gtlsclient: 192.0.2.2, then 192.0.2.5 ── router ══ br0 ══ balancer, two workers: a service for each form
                                                        ╚═══ web-1, web-2, web-3: gtlsserver for each form

Client and server are those of ngtcp2 in Debian. The server is unchanged but for its connection ids, which quic_ids.cpp
takes from files that quic_lb.py wrote. A server that gets a packet of another one's connection does not know it: a client
that was answered after its change was still with its server.
"""

import contextlib
import itertools
import pathlib
import re
import subprocess
import time

import pytest
from conftest import FLAVOUR
from conservation import assert_conserved
from lab.daemons import Balancer, ServicePlan
from lab.processes import Process, wait_until
from lab.topology import BACKENDS, CLIENT_ADDRESSES, VIP
from owned_port import EXCEPTION, PACKET_MTU, close_eyes, drops_of, live_behind, owned_port_text, packet_device
from quic_lb import IdForm

PLAINTEXT = IdForm(0, server_id_bytes=3, nonce_bytes=4)
SINGLE_PASS = IdForm(1, server_id_bytes=3, nonce_bytes=13, key="8f95f09245765f80256934e50c66207f")
FOUR_PASS = IdForm(2, server_id_bytes=3, nonce_bytes=14, key="fdf726a9893ec05c0632d3956680baf0")
UNROUTABLE = IdForm(7, server_id_bytes=3, nonce_bytes=4)
# A service's ids, one form after the other: the last one is a rotation in the middle of every connection.
SERVED = {
    "plaintext": (PLAINTEXT,),
    "single-pass": (SINGLE_PASS,),
    "four-pass": (FOUR_PASS,),
    "rotated": (PLAINTEXT, FOUR_PASS, SINGLE_PASS),
    "unroutable": (UNROUTABLE,),
}
PORTS = {name: 4430 + number for number, name in enumerate(SERVED)}
SERVER_IDS = {"web-1": "ed793a", "web-2": "ed793b", "web-3": "0a0a0a"}
QUIC = f"quic = [{', '.join(form.toml() for form in (PLAINTEXT, SINGLE_PASS, FOUR_PASS))}]"
SERVICES = [
    ServicePlan(name=name, protocol="udp", port=port, backends=BACKENDS, more=(QUIC,), probe='{ type = "none" }',
                server_ids=tuple(SERVER_IDS[plan.name] for plan in BACKENDS))
    for name, port in PORTS.items()
]
BEFORE, AFTER = CLIENT_ADDRESSES[0], CLIENT_ADDRESSES[3]
CLIENTS = 9
IDS = 600
FILE_BYTES = 300_000


@pytest.fixture(scope="module")
def balancer(lab):
    """Two workers: a client that changes its address may come to the other one."""
    close_eyes(lab)
    made = Balancer(lab, FLAVOUR, owned_port_text(SERVICES, packet_device(2), PACKET_MTU, workers=2,
                                                  more=(f'exception = "{EXCEPTION}"',)))
    made.start_decapsulators()
    made.start_dataplane()
    live_behind(lab)
    made.start_controlplane()
    made.wait_in_step()
    made.wait_all_up()
    return made


@pytest.fixture(scope="module")
def quic_servers(lab):
    """All servers with all forms; each serves its own name, and a file of some packets."""
    folder = lab.folder
    library, key, certificate = folder / "quic_ids.so", folder / "key.pem", folder / "certificate.pem"
    source = pathlib.Path(__file__).with_name("quic_ids.cpp")
    subprocess.run(["g++", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source], check=True, timeout=60)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", certificate, "-subj", "/CN=quic", "-days", "2"],
                   check=True, capture_output=True, timeout=30)
    for plan in BACKENDS:
        served = folder / f"{plan.name}-quic"
        served.mkdir()
        (served / "name").write_text(plan.name.ljust(FILE_BYTES))
        for name, forms in SERVED.items():
            made = [form.make_ids(SERVER_IDS[plan.name], IDS) for form in forms]
            ids = folder / f"{plan.name}-{name}.ids"
            ids.write_bytes(b"".join(itertools.chain.from_iterable(zip(*made, strict=True))))
            lab.start(f"quic-{plan.name}-{name}", lab.servers[plan.name],
                      ["gtlsserver", "-q", "-d", str(served), VIP, str(PORTS[name]), str(key), str(certificate)],
                      {"LD_PRELOAD": str(library), "QUIC_IDS": str(ids)})
        wait_until(f"the QUIC servers of {plan.name} listen",
                   lambda plan=plan: len(listening(lab, plan.name)) == len(SERVED), 10.0)


def listening(lab, server: str) -> list[str]:
    return [line for line in lab.servers[server].run("ss", "-Hlun").splitlines() if f"{VIP}:44" in line]


def leave_as(lab, address: str) -> None:
    """The address of sockets that the client opens from now on."""
    lab.client.ip("route", "replace", "default", "via", "192.0.2.1", "src", address)


class Clients:
    """Several at once, each with a connection, a folder and a request of its own."""

    def __init__(self, lab, service: str, *options: str, first_ids: tuple[bytes, ...] = (), timeout_s: int = 10) -> None:
        self._processes: list[Process] = []
        self._folders: list[pathlib.Path] = []
        for number in range(CLIENTS):
            self._folders.append(lab.folder / f"{service}-{time.monotonic_ns()}")
            self._folders[-1].mkdir()
            # Every other one is moved by a NAT and does not know: it goes on with the id that it used before.
            own = ("--nat-rebinding",) if number % 2 and "--change-local-addr=1s" in options else ()
            if first_ids:
                own += (f"--dcid={first_ids[number].hex()}",)
            command = ["gtlsclient", "-q", "--no-quic-dump", "--no-http-dump", "--exit-on-all-streams-close",
                       f"--timeout={timeout_s}s", f"--download={self._folders[-1]}", *options, *own,
                       VIP, str(PORTS[service]), "https://quic/name"]
            self._processes.append(lab.start(f"client-{self._folders[-1].name}", lab.client, command))

    def answers(self) -> list[str]:
        """Of each client the name of the server that answered; empty if it was not answered whole."""
        for process in self._processes:
            process.wait(25.0)
        texts = [(folder / "name").read_text() if (folder / "name").exists() else "" for folder in self._folders]
        return [text.strip() if len(text) == FILE_BYTES else "" for text in texts]


def answers_of_moving_clients(lab, balancer, service: str, timeout_s: int = 10) -> list[str]:
    """They shake hands, change address and port after 1 s, and ask after 1.5 s."""
    flows = new_flows(balancer, service)
    leave_as(lab, BEFORE)
    clients = Clients(lab, service, "--change-local-addr=1s", "--delay-stream=1500ms", timeout_s=timeout_s)
    wait_until("every client has a flow", lambda: new_flows(balancer, service) >= flows + CLIENTS, 5.0)
    leave_as(lab, AFTER)
    answers = clients.answers()
    leave_as(lab, BEFORE)
    assert new_flows(balancer, service) == flows + 2 * CLIENTS, "every client came from two addresses"
    return answers


def new_flows(balancer, service: str) -> int:
    return next(row["new_flows"] for row in balancer.cli_json("stats")["services"] if row["service"] == service)


@contextlib.contextmanager
def seen_clients(lab, service: str):
    """Yields a set that holds, in the end, the addresses and ports that tcpdump saw the clients use."""
    capture = lab.start(f"capture-{service}", lab.router,
                        ["tcpdump", "-nni", "up0", "--immediate-mode", "udp", "dst", "port", str(PORTS[service])])
    wait_until("tcpdump listens", lambda: "listening" in capture.log_text(), 10.0, process=capture)
    seen: set[tuple[str, str]] = set()
    yield seen
    capture.stop()
    seen.update(re.findall(r"IP (\d+\.\d+\.\d+\.\d+)\.(\d+) > ", capture.log_text()))


@pytest.mark.parametrize("service", [name for name in SERVED if name != "unroutable"])
def test_a_client_that_changes_its_address_stays_with_its_server(lab, balancer, quic_servers, service):
    with seen_clients(lab, service) as seen:
        answers = answers_of_moving_clients(lab, balancer, service)
    assert all(answers), answers
    assert len(set(answers)) > 1, "all clients on one server show little"
    assert {address for address, _ in seen} == {BEFORE, AFTER}
    assert len(seen) == 2 * CLIENTS


def test_ids_that_name_nobody_go_by_address_and_port(lab, balancer, quic_servers):
    answers = Clients(lab, "unroutable").answers()
    assert all(answers), answers
    assert len(set(answers)) > 1


def test_without_a_routable_id_a_change_of_address_loses_the_server(lab, balancer, quic_servers):
    """What the others prove is worth something: of nine clients some get another server, which does not know them."""
    answers = answers_of_moving_clients(lab, balancer, "unroutable", timeout_s=3)
    assert not all(answers), answers


def test_an_id_that_a_client_made_up_leads_nowhere(lab, balancer, quic_servers):
    """A first packet with the id of web-3 goes by address and port, or clients could choose their server."""
    forged = PLAINTEXT.make_ids(SERVER_IDS["web-3"], CLIENTS)
    answers = Clients(lab, "plaintext", first_ids=tuple(forged)).answers()
    assert all(answers), answers
    assert set(answers) != {"web-3"}


def test_every_packet_is_accounted_for(balancer):
    assert not drops_of(balancer)
    assert all(worker["rx_packets"] > CLIENTS for worker in balancer.cli_json("stats")["workers"])
    assert_conserved(balancer, least_packets=CLIENTS * 7 * 20)
