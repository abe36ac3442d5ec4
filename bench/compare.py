#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/bench compare: Penstock beside nftables (jhash DNAT) and HAProxy (TCP mode), on one machine.

The same client (wrk), the same three nginx servers and the same veth links in network namespaces; only what stands at the VIP
changes. `routed` has no balancer: the router spreads connections over the servers itself, which is what the machine can do at all.
Every request opens a connection of its own. The balancers take turns, round by round, and the client and the servers share the
machine with them: requests a second say as much about the machine as about the balancer, CPU seconds per million requests are what
to compare. They are those of the whole machine, softirqs included, less those of `routed`.

Examples:
  tools/bench compare --quick
  tools/bench compare --rounds 5 --seconds 10 --json compare.json
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from lab.daemons import Balancer, ServicePlan, configuration_text  # noqa: E402
from lab.namespaces import LabError, run  # noqa: E402
from lab.processes import wait_until  # noqa: E402
from lab.topology import BALANCER_INTERFACE, VIP, BackendPlan, Topology  # noqa: E402

SERVERS = tuple(BackendPlan(f"web-{number}", f"10.0.1.{10 + number}", 100) for number in (1, 2, 3))
PERCENTILES = ("50", "99", "99.9")
# wrk's own latency report ends at 99 %.
WRK_SCRIPT = """
done = function(summary, latency, requests)
  io.write(string.format("figures %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
"""
HAPROXY = """
global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend vip
  bind {vip}:80
  default_backend servers
backend servers
  balance roundrobin
{servers}
"""
NFTABLES = """
table ip balance {{
  chain in {{
    type nat hook prerouting priority dstnat;
    ip daddr {vip} tcp dport 80 dnat to jhash ip saddr . tcp sport mod {count} map {{ {servers} }}
  }}
  chain out {{
    type nat hook postrouting priority srcnat;
    oifname "{interface}" masquerade
  }}
}}
"""


class Routed:
    """No balancer."""

    name = "routed"

    def __init__(self, topology: Topology) -> None:
        self._router = topology.router
        ways = [word for plan in SERVERS for word in ("nexthop", "via", plan.address, "dev", "br0")]
        self._router.sysctl("net.ipv4.fib_multipath_hash_policy", "1")
        self._router.ip("route", "replace", f"{VIP}/32", *ways)

    def stop(self) -> None:
        self._router.ip("route", "replace", f"{VIP}/32", "via", "10.0.1.2", "dev", "br0")


class Penstock:
    name = "penstock"

    def __init__(self, topology: Topology) -> None:
        plan = ServicePlan(backends=SERVERS)
        self._balancer = Balancer(topology, "release", configuration_text([plan]))
        self._balancer.start()

    def stop(self) -> None:
        for process in (self._balancer.controlplane, self._balancer.dataplane, *self._balancer.decaps.values()):
            process.stop()


class Nftables:
    """jhash over source address and port; replies come back because we are the source, too."""

    name = "nftables"

    def __init__(self, topology: Topology) -> None:
        self._balancer = topology.balancer
        self._balancer.add_address("lo", f"{VIP}/32")
        self._balancer.sysctl("net.ipv4.ip_forward", "1")
        self._balancer.sysctl("net.ipv4.conf.all.send_redirects", "0")
        self._balancer.sysctl(f"net.ipv4.conf.{BALANCER_INTERFACE}.send_redirects", "0")
        servers = ", ".join(f"{number} : {plan.address}" for number, plan in enumerate(SERVERS))
        rules = NFTABLES.format(vip=VIP, count=len(SERVERS), servers=servers, interface=BALANCER_INTERFACE)
        run(self._balancer.inside("nft", "-f", "-"), text=rules)

    def stop(self) -> None:
        self._balancer.run("nft", "delete", "table", "ip", "balance")
        self._balancer.ip("address", "del", f"{VIP}/32", "dev", "lo")
        self._balancer.sysctl("net.ipv4.ip_forward", "0")


class Haproxy:
    name = "haproxy"

    def __init__(self, topology: Topology) -> None:
        self._balancer = topology.balancer
        self._balancer.add_address("lo", f"{VIP}/32")
        self._balancer.sysctl("net.ipv4.ip_local_port_range", "1024 65535")
        servers = "\n".join(f"  server {plan.name} {plan.address}:80" for plan in SERVERS)
        file = topology.folder / "haproxy.cfg"
        file.write_text(HAPROXY.format(vip=VIP, servers=servers))
        self._process = topology.start("haproxy", self._balancer, ["/usr/sbin/haproxy", "-db", "-f", str(file)])
        wait_until("HAProxy listens", lambda: ":80" in self._balancer.run("ss", "-Hltn"), 10.0, process=self._process)

    def stop(self) -> None:
        self._process.stop()
        self._balancer.ip("address", "del", f"{VIP}/32", "dev", "lo")


SUBJECTS = (Routed, Penstock, Nftables, Haproxy)


def busy_seconds() -> float:
    """CPU time that the machine spent since it began, idle and stolen time apart."""
    fields = [int(word) for word in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq = fields[:7]
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def load(topology: Topology, seconds: float, connections: int) -> dict:
    """What wrk saw, and what the machine spent meanwhile."""
    script = topology.folder / "figures.lua"
    script.write_text(WRK_SCRIPT)
    before = busy_seconds()
    said = topology.client.run("wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-H", "Connection: close",
                               "-s", str(script), f"http://{VIP}/", limit_s=seconds + 30)
    spent = busy_seconds() - before
    found = re.search(r"^figures ((?:\d+ ?){6})$", said, re.MULTILINE)
    if found is None:
        raise LabError(f"wrk said no figures:\n{said}")
    requests, duration_us, errors, *latencies = map(int, found[1].split())
    if requests == 0:
        raise LabError(f"no request was answered:\n{said}")
    return {"requests": requests, "errors": errors, "per_second": requests / duration_us * 1e6,
            "cpu_s_per_million": spent / requests * 1e6,
            **{f"p{word}_us": value for word, value in zip(PERCENTILES, latencies)}}


def measure(arguments: argparse.Namespace) -> dict[str, list[dict]]:
    rows: dict[str, list[dict]] = {subject.name: [] for subject in SUBJECTS}
    with Topology(SERVERS) as topology:
        topology.client.sysctl("net.ipv4.tcp_tw_reuse", "1")
        for number in range(arguments.rounds):
            for subject in SUBJECTS:
                print(f"bench: round {number + 1} of {arguments.rounds}: {subject.name}", file=sys.stderr, flush=True)
                running = subject(topology)
                try:
                    load(topology, 1.0, arguments.connections)  # warm
                    rows[subject.name].append(load(topology, arguments.seconds, arguments.connections))
                finally:
                    with contextlib.suppress(LabError):
                        running.stop()
    return rows


def summarize(rows: dict[str, list[dict]]) -> list[dict]:
    floor = statistics.median(row["cpu_s_per_million"] for row in rows["routed"])
    table = []
    for name, found in rows.items():
        line: dict = {"case": name, "rounds": len(found), "errors": sum(row["errors"] for row in found)}
        for key in ("per_second", "cpu_s_per_million", *(f"p{word}_us" for word in PERCENTILES)):
            line[key] = round(statistics.median(row[key] for row in found), 1)
        line["cpu_s_per_million_added"] = round(line["cpu_s_per_million"] - floor, 1)
        table.append(line)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="of load, each round and balancer")
    parser.add_argument("--connections", type=int, default=32, help="that wrk keeps open at once")
    parser.add_argument("--quick", action="store_true", help="two rounds of three seconds")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = 2, 3.0
    try:
        table = summarize(measure(arguments))
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(f"{'':10} {'req/s':>9} {'CPU s/M req':>12} {'added':>8} {'p50 µs':>8} {'p99 µs':>8} {'p99.9 µs':>9} {'errors':>7}")
    for row in table:
        print(f"{row['case']:10} {row['per_second']:9.0f} {row['cpu_s_per_million']:12.1f} "
              f"{row['cpu_s_per_million_added']:8.1f} {row['p50_us']:8.0f} {row['p99_us']:8.0f} {row['p99.9_us']:9.0f} "
              f"{row['errors']:7}")
    if arguments.json:
        arguments.json.write_text(json.dumps(table) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
