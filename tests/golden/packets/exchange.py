# SPDX-License-Identifier: Apache-2.0
"""What golden packets are made of: one packet in and what must come of it, and the hosts.

Every expectation is built from the RFCs with scapy, not by Penstock.
"""

import collections.abc
import dataclasses
import functools

from scapy.all import IP, Ether, IPv6, Packet

CLIENT, CLIENT_MAC = "192.0.2.1", "02:00:00:00:00:01"
CLIENT6 = "2001:db8:c::1"
OUR_MAC = "02:70:63:61:70:00"  # what the pcap driver of DPDK 22.11 calls its first port, and penstock replay too
ROUTER_MAC, ONLINK_MAC = "02:00:00:00:00:bb", "02:00:00:00:00:cc"
TUNNEL_SOURCE, TUNNEL_SOURCE6 = "10.0.0.1", "fd00::1"
MTU = 1500


@dataclasses.dataclass(frozen=True)
class Exchange:
    """One packet in; the verdict ("forward", "reply", "kernel" or a drop reason); the packets out. `waits` says that it
    is held back until a later packet comes, so that it may leave after packets that came after it; `apart` that it is sent
    only when what came before it has left, as an answer is."""

    sent: bytes
    verdict: str
    expected: tuple[bytes, ...] = ()
    waits: bool = False
    apart: bool = False


@dataclasses.dataclass(frozen=True)
class Case:
    """A capture, what comes of it, and the configuration.Configuration that decides. `row` is what the table in
    docs/reference/packets.md says: the feature, the family, the protocol. `unlike` names the programs that do otherwise
    ("core", "replay", "dataplane") and why; that they still do is tested. `down`: before the packet of this number (from 1)
    that backend goes down. `waits`: packets leave after some that came later."""

    row: tuple[str, str, str]
    configuration: object
    exchanges: collections.abc.Callable[[], list[Exchange]]
    unlike: dict[str, str] = dataclasses.field(default_factory=dict)
    down: dict[int, str] = dataclasses.field(default_factory=dict)
    waits: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "exchanges", functools.cache(self.exchanges))  # scapy is slow


def ether(tags=(), source: str = CLIENT_MAC) -> Packet:
    """A frame from the client's side to us."""
    return tagged(Ether(dst=OUR_MAC, src=source), tags)


def tagged(frame: Packet, tags=()) -> Packet:
    for tag in tags:
        frame = frame / tag
    return frame


def built(packet: Packet) -> Packet:
    """With lengths and checksums as they are on the wire."""
    return (IP if isinstance(packet, IP) else IPv6)(bytes(packet))


def leaving(outside: Packet | bytes, mac: str = ROUTER_MAC, tags=()) -> bytes:
    """A frame from us to the next hop `mac`."""
    if isinstance(outside, bytes):
        outside = (IP if outside[0] >> 4 == 4 else IPv6)(outside)
    return bytes(tagged(Ether(dst=mac, src=OUR_MAC), tags) / outside)


def forwarded(inner: Packet, outside: Packet | list[Packet], mac: str = ROUTER_MAC, tags=(), waits=False) -> Exchange:
    """`inner` comes in and leaves as `outside`, or as several, all without Ethernet header, to the next hop `mac`."""
    pieces = outside if isinstance(outside, list) else [outside]
    out = tuple(leaving(piece, mac, tags) for piece in pieces)
    return Exchange(bytes(ether(tags) / inner), "forward", out, waits)


def replied(packet: Packet, answer: Packet, tags=()) -> Exchange:
    """Both without Ethernet header: the answer goes back to whom the frame came from."""
    return Exchange(bytes(ether(tags) / packet), "reply", (leaving(answer, CLIENT_MAC, tags),))


def dropped(reason: str, packet, waits: bool = False) -> Exchange:
    """`packet` with its Ethernet header."""
    return Exchange(bytes(packet), reason, (), waits)


def side_by_side(exchanges: list[Exchange]) -> list[Exchange]:
    """What one side sends follows from what the other side has got: it is apart."""
    out, side = [], None
    for one in exchanges:
        out.append(dataclasses.replace(one, apart=side not in (None, one.sent[6:12])))
        side = one.sent[6:12]
    return out
