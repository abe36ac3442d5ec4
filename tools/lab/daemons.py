# SPDX-License-Identifier: Apache-2.0
"""Penstock's own programs in a laboratory: both daemons, the decapsulators, the CLI and the API."""

import dataclasses
import datetime
import http.client
import json
import os
import pathlib
import socket
import subprocess
import urllib.parse

from lab.namespaces import LabError
from lab.processes import Process, wait_until
from lab.topology import BALANCER_INTERFACE, VIP, BackendPlan, Topology

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = {
    "penstock-dp": "dataplane/penstock-dp",
    "penstock-cp": "controlplane/penstock-cp",
    "penstock": "tools/cli/penstock",
    "penstock-decap": "tools/decap/penstock-decap",
}
# A report of a sanitizer ends the process, or nobody would see it.
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


@dataclasses.dataclass(frozen=True)
class ServicePlan:
    name: str = "web"
    vip: str = VIP
    protocol: str = "tcp"
    port: int = 80
    forwarding: str = "ipip"
    backends: tuple[BackendPlan, ...] = ()
    probe: str = '{ type = "http", path = "/healthz", interval = "500ms", timeout = "300ms", fall = 3, rise = 2 }'
    more: tuple[str, ...] = ()  # further lines
    server_ids: tuple[str, ...] = ()  # of QUIC-LB, one a backend

    def backend_lines(self) -> list[str]:
        ids = [f', server_id = "{server_id}"' for server_id in self.server_ids] or [""] * len(self.backends)
        return [
            f'  {{ name = "{plan.name}", address = "{plan.address}", weight = {plan.weight}{server_id} }},'
            for plan, server_id in zip(self.backends, ids, strict=True)
        ]


def configuration_text(services: list[ServicePlan], *, node: str = "lb-a", dataplane: str = "", workers: int = 1,
                       port: str = f'interface = "{BALANCER_INTERFACE}"', nat_sources: tuple[str, ...] = ()) -> str:
    """A configuration file; `dataplane` is text for the [dataplane] table, `port` for that of its port edge0."""
    cpus = sorted(os.sched_getaffinity(0))[-workers:]
    if len(cpus) != workers:
        raise LabError(f"{workers} workers need {workers} CPUs, there are {len(cpus)}")
    lines = [
        "[node]", f'name = "{node}"', "", "[dataplane]", f"workers = {cpus}", dataplane,
        "[[dataplane.port]]", 'name = "edge0"', port,
    ]
    if nat_sources:
        lines += ["", "[nat]", f"source = {json.dumps(nat_sources)}"]
    for service in services:
        lines += [
            "", "[[service]]", f'name = "{service.name}"', f'vip = "{service.vip}"',
            f'protocol = "{service.protocol}"', *service.more, f"port = {service.port}",
            f'forwarding = "{service.forwarding}"', f"probe = {service.probe}", "backend = [",
            *service.backend_lines(), "]",
        ]
    return "\n".join(lines) + "\n"


class ApiError(LabError):
    def __init__(self, status: int, problem: dict) -> None:
        super().__init__(f"{status}: {problem.get('detail', problem)}")
        self.status = status
        self.problem = problem


class Api:
    """penstock-cp's HTTP API on its Unix socket (docs/reference/api.md)."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path

    def get(self, path: str, **query: object) -> dict:
        return self._request("GET", f"{path}?{urllib.parse.urlencode(query)}" if query else path)

    def post(self, path: str, body: str = "") -> dict:
        return self._request("POST", path, body)

    def _request(self, method: str, path: str, body: str | None = None) -> dict:
        connection = http.client.HTTPConnection("penstock", timeout=40)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.sock.settimeout(40)
            connection.sock.connect(str(self._path))
            connection.request(method, path, body=body)
            reply = connection.getresponse()
            document = json.loads(reply.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LabError(f"{method} {path} on {self._path}: {error}") from error
        finally:
            connection.close()
        if reply.status >= 400:
            raise ApiError(reply.status, document)
        return document


def find_event(events: list[dict], kind: str, **members: str) -> dict | None:
    """The first of this kind whose members are as given."""
    for event in events:
        if event["type"] == kind and all(event[key] == value for key, value in members.items()):
            return event
    return None


def event_time_ns(event: dict) -> int:
    """The time of an event as the load generator writes it."""
    moment = datetime.datetime.fromisoformat(event["time"])
    return int(moment.timestamp() * 1_000_000_000)


class Balancer:
    """Penstock in the balancer's namespace, its decapsulators in the servers'. Ends with the topology."""

    def __init__(self, topology: Topology, flavour: str, configuration: str) -> None:
        self.topology = topology
        self.gue_ports = (6080, 6081)  # that the decapsulators take
        self._build = ROOT / "build" / flavour
        self.runtime = topology.folder / "run"
        self.state = topology.folder / "state"
        self.file = topology.folder / "penstock.toml"
        self.runtime.mkdir(exist_ok=True)
        self.state.mkdir(exist_ok=True)
        self.write(configuration)
        self.api = Api(self.runtime / "control.sock")
        self.dataplane: Process | None = None
        self.controlplane: Process | None = None
        self.decaps: dict[str, Process] = {}

    def program(self, name: str) -> str:
        path = self._build / PROGRAMS[name]
        if not path.exists():
            raise LabError(f"{path} is not built: run tools/build {self._build.name}")
        return str(path)

    def write(self, configuration: str) -> None:
        self.file.write_text(configuration)

    # ---- daemons

    def directories(self) -> list[str]:
        return ["--runtime-dir", str(self.runtime), "--state-dir", str(self.state)]

    def dataplane_command(self) -> list[str]:
        return [self.program("penstock-dp"), "--config", str(self.file), *self.directories()]

    def controlplane_command(self) -> list[str]:
        return [self.program("penstock-cp"), "--config", str(self.file), *self.directories()]

    def start_dataplane(self, limit_s: float = 30.0) -> Process:
        self.dataplane = self.topology.start(
            "penstock-dp", self.topology.balancer, self.dataplane_command(), SANITIZERS
        )
        listening = self.runtime / "dataplane.sock"
        wait_until("penstock-dp serves its control socket", lambda: can_connect(listening), limit_s,
                   process=self.dataplane)
        return self.dataplane

    def start_controlplane(self, limit_s: float = 30.0) -> Process:
        self.controlplane = self.topology.start(
            "penstock-cp", self.topology.balancer, self.controlplane_command(), SANITIZERS
        )
        listening = self.runtime / "control.sock"
        wait_until("penstock-cp serves its API", lambda: can_connect(listening), limit_s, process=self.controlplane)
        return self.controlplane

    def start_decapsulators(self) -> None:
        for name in (plan.name for plan in self.topology.backends if not plan.plain):
            server = self.topology.servers[name]
            command = [self.program("penstock-decap"), "--interface", "eth0"]
            for vip in self.topology.vips:
                command += ["--vip", vip]
            command += [word for port in self.gue_ports for word in ("--gue-port", str(port))]
            process = self.topology.start(f"decap-{name}", server, command, SANITIZERS)
            self.decaps[name] = process
            wait_until(f"penstock-decap of {name} is attached",
                       lambda server=server: "xdp" in server.ip("link", "show", "eth0"), 20.0, process=process)

    def start(self) -> None:
        """Everything, until all backends are up and the dataplane is in step."""
        self.start_decapsulators()
        self.start_dataplane()
        self.start_controlplane()
        self.wait_in_step()
        self.wait_all_up()

    # ---- what it says

    def cli(self, *arguments: str, limit_s: float = 90.0) -> subprocess.CompletedProcess:
        command = [self.program("penstock"), "--runtime-dir", str(self.runtime), *arguments]
        return subprocess.run(
            self.topology.balancer.inside(*command), capture_output=True, text=True, timeout=limit_s, check=False,
            stdin=subprocess.DEVNULL, env={**os.environ, **SANITIZERS},
        )

    def cli_json(self, *arguments: str) -> dict:
        answer = self.cli(*arguments, "--json")
        if answer.returncode != 0:
            raise LabError(f"penstock {' '.join(arguments)}: exit {answer.returncode}: {answer.stderr.strip()}")
        return json.loads(answer.stdout)

    def backend(self, name: str, service: str = "web") -> dict:
        backends = self.api.get("/v1/backends", service=service)["backends"]
        return next(backend for backend in backends if backend["name"] == name)

    def in_step(self) -> bool:
        generation = self.api.get("/v1/status")["generation"]
        return generation["live"] is not None and generation["live"] == generation["desired"]

    def wait_in_step(self, limit_s: float = 30.0) -> None:
        wait_until("the dataplane has the desired generation", self.in_step, limit_s)

    def wait_all_up(self, limit_s: float = 30.0) -> None:
        def all_up() -> bool:
            backends = self.api.get("/v1/backends")["backends"]
            return all(entry["health"] == "up" and entry["next_hop"] == "resolved" for entry in backends)

        wait_until("every backend is up", all_up, limit_s)

    def wait_all_in_force(self, probed: set[tuple[str, str]], limit_s: float = 30.0) -> None:
        """Until the workers use each (service, backend): what the probes found is not yet what the workers do."""

        def are_all_live() -> bool:
            live = [event for event in self.events() if event["type"] == "health-live" and event["to"] == "up"]
            return probed <= {(event["service"], event["backend"]) for event in live}

        wait_until("every backend is up on every worker", are_all_live, limit_s)

    def events(self, after: int = 0) -> list[dict]:
        """All that are kept: one reply holds the oldest 1000 at most."""
        events: list[dict] = []
        while page := self.api.get("/v1/events", after=after)["events"]:
            events += page
            after = page[-1]["sequence"]
        return events

    def wait_event(self, kind: str, after: int, limit_s: float, **members: str) -> dict:
        """The first event of this kind later than number `after`, whose members are as given."""

        return wait_until(f"event {kind} {members}", lambda: find_event(self.events(after), kind, **members), limit_s)

    def wait_health_live(self, name: str, to: str, after: int, limit_s: float = 30.0) -> int:
        """From when every worker acted on this health of a backend, as the load generator writes times."""
        event = self.wait_event("health-live", after, limit_s, backend=name, to=to)
        return event_time_ns(event) + 1_000_000  # events are cut to milliseconds

    def wait_eligible(self, name: str, *, eligible: bool) -> None:
        wait_until(
            f"{name} {'takes' if eligible else 'no longer takes'} new flows",
            lambda: self.backend(name)["eligible"] == eligible and self.in_step(), 30.0,
        )

    def newest_event(self) -> int:
        """Its number; 0 while there is none."""
        events = self.events()
        return events[-1]["sequence"] if events else 0


def can_connect(path: pathlib.Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
