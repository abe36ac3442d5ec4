# SPDX-License-Identifier: Apache-2.0
"""A port that DPDK owns, and the kernel behind it: everything but VIP traffic crosses the exception path.

    router ══ br0 ══ eth1 ── a driver of DPDK's ─► workers ─► edge0-k: 10.0.1.2, the kernel's

Two drivers: net_af_packet reads eth1 itself, one queue a worker, frames of up to 1518 bytes; the kernel sees eth1 too, so
nftables closes its eyes. Or a TAP that nftables joins to eth1 as by a wire: frames of any size, tags as they are. What
the kernel hears and says, it hears and says by edge0-k: probes, routes and neighbours of the backends go that way as
well, so a backend that is up proves both directions.
"""

from lab.daemons import Balancer, ServicePlan, configuration_text
from lab.topology import BALANCER_ADDRESS, BALANCER_INTERFACE, ROUTER_ADDRESS, Topology, as_ipv6

EXCEPTION = "edge0-k"
TAP = "nic0"
TAP_DEVICE = f"net_tap0,iface={TAP}"
PACKET_MTU = 1500  # what net_af_packet takes at most
CLOSED_EYES = """
table netdev only-dpdk {{
  chain heard {{ type filter hook ingress device {interface} priority 0; policy drop; }}
}}
"""
WIRE = """
table netdev {tap}
delete table netdev {tap}
table netdev {tap} {{
  chain heard {{
    type filter hook ingress device {interface} priority 0
    fwd to {tap}
  }}
  chain said {{
    type filter hook ingress device {tap} priority 0
    fwd to {interface}
  }}
}}
"""


def packet_device(queues: int) -> str:
    return f"net_af_packet0,iface={BALANCER_INTERFACE},qpairs={queues},framecnt=4096"


def owned_port_text(services: list[ServicePlan], device: str, mtu: int, *, more: tuple[str, ...] = (),
                    dataplane: str = "", workers: int = 1, nat_sources: tuple[str, ...] = ()) -> str:
    """A configuration whose port is DPDK's; `more` are further lines of the port."""
    port = "\n".join((f'device = "{device}"', f"mtu = {mtu}", *more))
    return configuration_text(services, dataplane=dataplane, workers=workers, port=port, nat_sources=nat_sources)


def _load_rules(lab: Topology, rules: str) -> None:
    path = lab.folder / "rules.nft"
    path.write_text(rules)
    lab.balancer.run("nft", "-f", str(path))


def close_eyes(lab: Topology) -> None:
    """The kernel hears nothing on eth1 any more; packet sockets do."""
    lab.balancer.ip("address", "flush", "dev", BALANCER_INTERFACE)
    _load_rules(lab, CLOSED_EYES.format(interface=BALANCER_INTERFACE))


def wire(lab: Topology, interface: str = BALANCER_INTERFACE, tap: str = TAP) -> None:
    """Joins a TAP of penstock-dp to an interface: what comes by one leaves by the other, and nobody else sees it."""
    lab.balancer.ip("address", "flush", "dev", interface)
    mtu = lab.balancer.run("cat", f"/sys/class/net/{interface}/mtu").strip()
    lab.balancer.set_up(tap, int(mtu))
    _load_rules(lab, WIRE.format(interface=interface, tap=tap))


def live_behind(lab: Topology, *, ipv6: bool = False) -> None:
    """The node's addresses and default routes, on the exception path's interface."""
    lab.balancer.add_address(EXCEPTION, f"{BALANCER_ADDRESS}/24")
    lab.balancer.ip("route", "add", "default", "via", ROUTER_ADDRESS)
    if ipv6:
        lab.balancer.add_address(EXCEPTION, f"{as_ipv6(BALANCER_ADDRESS)}/64")
        lab.balancer.ip("route", "replace", "default", "via", as_ipv6(ROUTER_ADDRESS), "dev", EXCEPTION)


def drops_of(balancer: Balancer) -> dict[str, int]:
    return {drop["reason"]: drop["packets"] for drop in balancer.cli_json("drops")["drops"] if drop["packets"]}
