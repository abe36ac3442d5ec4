# SPDX-License-Identifier: Apache-2.0
"""A port that DPDK owns, and the kernel behind it: everything but VIP traffic crosses the exception path.

    router ══ br0 ══ eth1, DPDK's (net_af_packet) ─► workers ─► edge0-k: 10.0.1.2, the kernel's

The kernel sees eth1 too, so nftables closes its eyes: what it hears and says, it hears and says by edge0-k. Probes,
routes and neighbours of the backends go that way as well, so a backend that is up proves both directions.
"""

from lab.daemons import Balancer, ServicePlan, configuration_text
from lab.topology import BALANCER_ADDRESS, BALANCER_INTERFACE, ROUTER_ADDRESS, Topology

EXCEPTION = "edge0-k"
MTU = 1500  # what net_af_packet takes at most
CLOSED_EYES = f"""
table netdev only-dpdk {{
  chain heard {{ type filter hook ingress device {BALANCER_INTERFACE} priority 0; policy drop; }}
}}
"""


def owned_port_text(services: list[ServicePlan], *, workers: int = 1, more: tuple[str, ...] = (),
                    nat_sources: tuple[str, ...] = ()) -> str:
    """A configuration whose port is DPDK's, one queue a worker; `more` are further lines of the port."""
    device = f"net_af_packet0,iface={BALANCER_INTERFACE},qpairs={workers},framecnt=4096"
    port = "\n".join((f'device = "{device}"', f'exception = "{EXCEPTION}"', f"mtu = {MTU}", *more))
    return configuration_text(services, workers=workers, port=port, nat_sources=nat_sources)


def start_owned_port(lab: Topology, flavour: str, text: str) -> Balancer:
    """Everything but penstock-cp; the kernel's address is on the exception path's interface."""
    host = lab.balancer
    host.ip("address", "flush", "dev", BALANCER_INTERFACE)
    rules = lab.folder / "closed-eyes.nft"
    rules.write_text(CLOSED_EYES)
    host.run("nft", "-f", str(rules))
    made = Balancer(lab, flavour, text)
    made.start_decapsulators()
    made.start_dataplane()
    host.add_address(EXCEPTION, f"{BALANCER_ADDRESS}/24")
    host.ip("route", "add", "default", "via", ROUTER_ADDRESS)
    return made
