# SPDX-License-Identifier: Apache-2.0
"""What golden packets are made of: one packet in and what must come of it, hosts, and outer headers.

Every expectation is built here from the RFCs with scapy, not by Penstock.
"""

import collections.abc
import dataclasses

from scapy.all import IP, Ether, Packet, Raw

CLIENT, CLIENT_MAC = "192.0.2.1", "02:00:00:00:00:01"
OUR_MAC = "02:70:63:61:70:00"  # what the pcap driver of DPDK 22.11 calls its first port, and penstock replay too
ROUTER_MAC, ONLINK_MAC = "02:00:00:00:00:bb", "02:00:00:00:00:cc"
TUNNEL_SOURCE = "10.0.0.1"


@dataclasses.dataclass(frozen=True)
class Exchange:
    """One packet in; the verdict ("forward", "reply", "kernel" or a drop reason); the packet out."""

    sent: bytes
    verdict: str
    expected: bytes | None = None


@dataclasses.dataclass(frozen=True)
class Case:
    """A capture, what comes of it, and the configuration that decides. `row` is what docs/reference/packets.md says:
    the feature, the family, the protocol."""

    row: tuple[str, str, str]
    configuration: str
    exchanges: collections.abc.Callable[[], list[Exchange]]


def ether(tags=()) -> Packet:
    """A frame from the client's side to us."""
    return tagged(Ether(dst=OUR_MAC, src=CLIENT_MAC), tags)


def tagged(frame: Packet, tags=()) -> Packet:
    for tag in tags:
        frame = frame / tag
    return frame


class Outer:
    """Outer headers: never fragmented, so that they need no identification (RFC 6864 4.1)."""

    def ipv4(self, inner: Packet, destination: str, protocol: int) -> IP:
        """Around `inner`: TTL 64, DF whatever the inner packet has, DSCP and ECN copied (RFC 6040)."""
        return IP(src=TUNNEL_SOURCE, dst=destination, ttl=64, proto=protocol, tos=inner.tos, id=0, flags="DF")

    def ipip(self, inner: Packet, destination: str) -> Packet:
        inner = IP(bytes(inner))
        return self.ipv4(inner, destination, 4) / Raw(bytes(inner))


def forwarded(inner: Packet, outside: Packet, mac: str = ROUTER_MAC, tags=()) -> Exchange:
    """`inner` comes in and leaves as `outside`, both without Ethernet header, to the next hop `mac`."""
    out = tagged(Ether(dst=mac, src=OUR_MAC), tags) / outside
    return Exchange(bytes(ether(tags) / inner), "forward", bytes(out))


def dropped(reason: str, packet) -> Exchange:
    return Exchange(bytes(packet), reason)
