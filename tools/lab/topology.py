# SPDX-License-Identifier: Apache-2.0
"""The hosts and links of the picture in lab/__init__.py."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import tempfile
import threading
import time

from lab import markers
from lab.namespaces import PREFIX, LabError, Namespace, link
from lab.processes import Process
from lab.web import WebServer

VIP = "198.51.100.10"
CLIENT_ADDRESSES = tuple(f"192.0.2.{last}" for last in range(2, 10))
ROUTER_ADDRESS = "10.0.1.1"
BALANCER_ADDRESS = "10.0.1.2"
BALANCER_INTERFACE = "eth1"
SERVER_MTU = 1600  # 1500 and an outer header
CLIENT_MTU = 1500
# With a VIP or a NAT source of IPv6 every host has an IPv6 address beside its IPv4 address.
CLIENT_ADDRESS_IPV6 = "2001:db8:c::2"


@dataclasses.dataclass(frozen=True)
class BackendPlan:
    name: str
    address: str
    weight: int
    plain: bool = False  # knows nothing of VIPs: a server of NAT
    # Behind the router, on a link of its own, the way there with this MTU; None: on br0.
    way_mtu: int | None = None

    @property
    def address_ipv6(self) -> str:
        """10.0.1.11 is 2001:db8:1::11 too."""
        return as_ipv6(self.address)

    def by_ipv6(self) -> "BackendPlan":
        return dataclasses.replace(self, address=self.address_ipv6)


def as_ipv6(address: str) -> str:
    *_, network, host = address.split(".")
    return f"2001:db8:{network}::{host}"


BACKENDS = (
    BackendPlan("web-1", "10.0.1.11", 100),
    BackendPlan("web-2", "10.0.1.12", 100),
    BackendPlan("web-3", "10.0.1.13", 50),
)


class Topology:
    """Use as a context manager: everything it made is gone afterwards, also after a failure or Ctrl-C.

    `vips` are routed to the balancer and configured on the servers' loopback, `nat_sources` routed only. What it started
    is ended by pid.
    """

    def __init__(self, backends: tuple[BackendPlan, ...] = BACKENDS, vips: tuple[str, ...] = (VIP,), *,
                 nat_sources: tuple[str, ...] = (), server_mtu: int = SERVER_MTU) -> None:
        if os.geteuid() != 0:
            raise LabError("network namespaces need root. Run it with sudo")
        self.lab = str(os.getpid())
        self.backends = backends
        self.vips = vips
        self.nat_sources = nat_sources
        self._server_mtu = server_mtu
        self._ipv6 = any(":" in address for address in (*vips, *nat_sources))
        self.web: dict[str, WebServer] = {}
        self.servers: dict[str, Namespace] = {}
        self._namespaces: list[Namespace] = []
        self._processes: list[Process] = []
        self._kept = False
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"penstock-{self.lab}-"))
        markers.begin(self.lab, self.folder)
        try:
            self._make()
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> "Topology":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            self.remove()

    def keep(self) -> None:
        """Leaves everything running when this object ends; remove_lab() takes it away later."""
        self._kept = True

    # ---- hosts and links

    def _host(self, name: str) -> Namespace:
        markers.add_namespace(self.lab, f"{PREFIX}{self.lab}-{name}")
        namespace = Namespace(self.lab, name)
        self._namespaces.append(namespace)
        if self._ipv6:
            namespace.enable_ipv6()
        return namespace

    def _add_addresses(self, host: Namespace, interface: str, address: str) -> None:
        host.add_address(interface, f"{address}/24")
        if self._ipv6:
            host.add_address(interface, f"{as_ipv6(address)}/64")

    def _route_default(self, host: Namespace, router: str, *options: str) -> None:
        for gateway in (router, as_ipv6(router))[: 2 if self._ipv6 else 1]:
            host.ip("route", "add", "default", "via", gateway, *options)

    def _make(self) -> None:
        self.client = self._host("client")
        self.router = self._host("router")
        self.balancer = self._host("balancer")
        self._make_client()
        self._make_router()
        self._make_balancer()
        for plan in self.backends:
            self._make_server(plan)

    def _make_client(self) -> None:
        link(self.client, "eth0", self.router, "up0", CLIENT_MTU)
        for address in CLIENT_ADDRESSES:
            self.client.add_address("eth0", f"{address}/24")
        self.router.add_address("up0", "192.0.2.1/24")
        self.client.ip("route", "add", "default", "via", "192.0.2.1")
        if self._ipv6:
            self.client.add_address("eth0", f"{CLIENT_ADDRESS_IPV6}/64")
            self.router.add_address("up0", "2001:db8:c::1/64")
            self.client.ip("route", "add", "default", "via", "2001:db8:c::1")
        # Room for tens of thousands of connections, each from its own port.
        self.client.sysctl("net.ipv4.ip_local_port_range", "1024 65535")

    def _make_router(self) -> None:
        self.router.ip("link", "add", "br0", "type", "bridge", "forward_delay", "0")
        self.router.set_up("br0", self._server_mtu)
        self.router.set_offloads_off("br0")
        self._add_addresses(self.router, "br0", ROUTER_ADDRESS)
        self.router.sysctl("net.ipv4.ip_forward", "1")
        if self._ipv6:
            self.router.sysctl("net.ipv6.conf.all.forwarding", "1")
        self.router.sysctl("net.ipv4.conf.all.send_redirects", "0")
        self.router.sysctl("net.ipv4.conf.br0.send_redirects", "0")

    def _attach(self, namespace: Namespace, interface: str) -> None:
        port = f"to-{namespace.host}"
        link(namespace, interface, self.router, port, self._server_mtu)
        self.router.ip("link", "set", port, "master", "br0")
        # A bridge takes the MTU of its smallest port unless it is set again.
        self.router.ip("link", "set", "br0", "mtu", str(self._server_mtu))

    def _attach_behind(self, namespace: Namespace, plan: BackendPlan) -> str:
        """On a link of its own; returns the router's address on it."""
        port = f"to-{plan.name}"
        link(namespace, "eth0", self.router, port, self._server_mtu)
        router = f"{plan.address.rpartition('.')[0]}.1"
        self._add_addresses(self.router, port, router)
        self.router.ip("route", "add", plan.address, "dev", port, "mtu", str(plan.way_mtu))
        if self._ipv6:
            self.router.ip("route", "add", plan.address_ipv6, "dev", port, "mtu", str(plan.way_mtu))
        return router

    def _make_balancer(self) -> None:
        self._attach(self.balancer, BALANCER_INTERFACE)
        self._add_addresses(self.balancer, BALANCER_INTERFACE, BALANCER_ADDRESS)
        self._route_default(self.balancer, ROUTER_ADDRESS)
        for address in (*self.vips, *self.nat_sources):
            balancer = as_ipv6(BALANCER_ADDRESS) if ":" in address else BALANCER_ADDRESS
            self.router.ip("route", "add", address, "via", balancer, "dev", "br0")

    def _make_server(self, plan: BackendPlan) -> None:
        server = self._host(plan.name)
        self.servers[plan.name] = server
        router = ROUTER_ADDRESS
        if plan.way_mtu is None:
            self._attach(server, "eth0")
        else:
            router = self._attach_behind(server, plan)
        self._add_addresses(server, "eth0", plan.address)
        # Segments towards clients must fit their links, whatever the MTU here.
        self._route_default(server, router, "mtu", str(CLIENT_MTU))
        # The VIP is ours to accept, never to announce.
        server.sysctl("net.ipv4.conf.all.arp_ignore", "1")
        server.sysctl("net.ipv4.conf.all.arp_announce", "2")
        for vip in () if plan.plain else self.vips:
            server.add_address("lo", vip)
        self.web[plan.name] = WebServer(plan.name, server, self.folder / plan.name, ipv6=self._ipv6)

    # ---- processes

    def start(self, name: str, namespace: Namespace, command: list[str],
              environment: dict[str, str] | None = None) -> Process:
        """Starts a process that ends with the laboratory at the latest."""
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        process = Process(name, namespace, command, logs / f"{name}.log", environment)
        self._processes.append(process)
        return process

    def daemon_processes(self) -> list[Process]:
        """What was started here, without the web servers; the oldest first."""
        return list(self._processes)

    def sanitizer_reports(self) -> dict[str, str]:
        return {process.name: report for process in self._processes if (report := process.sanitizer_report())}

    # ---- the end

    def remove(self) -> None:
        """Ends every process, newest first, then removes namespaces and files. Never raises for what is gone."""
        with _undisturbed():
            self._remove()

    def _remove(self) -> None:
        for process in reversed(self._processes):
            process.signal(signal.SIGTERM)
        end = time.monotonic() + 3.0
        for process in reversed(self._processes):
            with contextlib.suppress(LabError):
                process.wait(max(0.1, end - time.monotonic()))
        servers = [server.process for server in self.web.values()]
        for process in [*self._processes, *servers]:
            with contextlib.suppress(LabError):
                process.kill()
        for namespace in self._namespaces:
            _end_all(namespace.process_ids())
            namespace.remove()
        shutil.rmtree(self.folder, ignore_errors=True)
        markers.end(self.lab)


@contextlib.contextmanager
def _undisturbed():
    """A second Ctrl-C must not leave half of the laboratory behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_all(pids: list[int]) -> None:
    """What still runs in a namespace of ours can only be ours."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def remove_lab(lab: str) -> None:
    """Removes a laboratory that an earlier run kept, or that was killed before it could clean up."""
    folder, names = markers.read(lab)
    for name in names:
        namespace = Namespace.__new__(Namespace)
        namespace.host, namespace.name = name.rpartition("-")[2], name
        _end_all(namespace.process_ids())
        namespace.remove()
    shutil.rmtree(folder, ignore_errors=True)
    markers.end(lab)


def abandoned_labs() -> list[str]:
    """Laboratories whose maker runs no more: kept ones, and what a kill -9 left behind."""
    return [lab for lab in markers.existing() if not pathlib.Path("/proc", lab).exists()]
