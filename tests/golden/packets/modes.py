# SPDX-License-Identifier: Apache-2.0
"""Forwarding modes x families x protocols: a row of MODES and a row of PROTOCOLS make a case each. NAT is in nat_cases.py."""

import collections.abc
import dataclasses

import configuration
import icmp_cases
import size_cases
from exchange import CLIENT, CLIENT6, ONLINK_MAC, ROUTER_MAC, Case, Exchange, forwarded
from scapy.all import IP, TCP, UDP, IPv6, Packet
from tunnels import OnLink, Outer

PORTS = {"tcp": 80, "udp": 53}
TCP_STEPS = (("S", b""), ("A", b""), ("PA", b"GET / HTTP/1.1\r\n\r\n"), ("FA", b""), ("A", b""), ("R", b""))
MARKS = (0, 1, 2, 3, 0xB8, 0xB8 | 3, 0xFF)  # DSCP and ECN
KEYS = {"gue0": "gue = { variant = 0 }", "gue1": "gue = { variant = 1 }"}


@dataclasses.dataclass(frozen=True)
class Mode:
    name: str
    kind: str  # l2dsr or a kind of tunnels.Outer
    inner: int
    over: int | None  # family of the outer header
    vip: str

    @property
    def backend(self) -> str:
        onlink = self.over is None
        if (self.over or self.inner) == 4:
            return configuration.ONLINK_BACKEND if onlink else configuration.TUNNEL_BACKEND
        return configuration.ONLINK_BACKEND6 if onlink else configuration.TUNNEL_BACKEND6

    @property
    def way(self) -> Outer | OnLink:
        return OnLink(self.backend) if self.over is None else Outer(self.kind, self.backend)

    @property
    def mac(self) -> str:
        return ONLINK_MAC if self.over is None else ROUTER_MAC

    @property
    def family(self) -> str:
        return f"IPv{self.inner}" + (f" in IPv{self.over}" if self.over else "")

    @property
    def feature(self) -> str:
        return f"`{self.kind}`" if not self.kind.startswith("gue") else f"`gue`, variant {self.kind[3]}"

    def services(self) -> str:
        return "".join(
            configuration.service(f"{self.name}-{protocol}", self.vip, protocol, PORTS[protocol],
                                  self.kind.rstrip("01"), self.backend, KEYS.get(self.kind, ""))
            for protocol in PORTS)


def make_modes() -> list[Mode]:
    modes = []
    for number, kind in enumerate(("l2dsr", "ipip", "gre", "gue0", "gue1")):
        for inner in (4, 6):
            prefix = "198.51.100." if inner == 4 else "2001:db8:100::"
            for over in (None,) if kind == "l2dsr" else (4, 6):
                name = f"{kind}_{inner}" + (f"in{over}" if over else "")
                modes.append(Mode(name, kind, inner, over, f"{prefix}{10 * number + 10 + (over or 0)}"))
    return modes


MODES = make_modes()


def header(mode: Mode, marks: int = 0, **ipv4) -> Packet:
    """The inner IP header; `ipv4` are fields that only that one has."""
    if mode.inner == 4:
        return IP(src=CLIENT, dst=mode.vip, tos=marks, **ipv4)
    return IPv6(src=CLIENT6, dst=mode.vip, tc=marks, fl=0x12345)


def tcp(mode: Mode) -> list[Packet]:
    """A connection from its SYN to a reset, then what marks it."""
    out = [header(mode, flags="DF") / TCP(sport=40001, dport=PORTS["tcp"], flags=flags) / payload
           for flags, payload in TCP_STEPS]
    return out + [header(mode, marks) / TCP(sport=40002, dport=PORTS["tcp"], flags="S") for marks in MARKS]


def udp(mode: Mode) -> list[Packet]:
    """Odd and even lengths, none, and without a checksum where that is allowed."""
    out = [header(mode) / UDP(sport=40000, dport=PORTS["udp"]) / payload
           for payload in (b"query", b"", b"even", b"x" * 511)]
    if mode.inner == 4:
        out.append(header(mode) / UDP(sport=40000, dport=PORTS["udp"], chksum=0) / b"none")
    return out


def straight(inners: collections.abc.Callable[[Mode], list[Packet]]) -> collections.abc.Callable[[Mode], list[Exchange]]:
    return lambda mode: [forwarded(inner, mode.way.around(inner), mode.mac) for inner in inners(mode)]


def icmp(mode: Mode) -> list[Exchange]:
    client = CLIENT if mode.inner == 4 else CLIENT6
    return [one for protocol in PORTS
            for one in icmp_cases.errors_to_backend(mode.way, mode.mac, client, mode.vip, protocol)]


def sizes(mode: Mode) -> list[Exchange]:
    return size_cases.around_the_mtu(mode.way, mode.mac, mode.vip)


# What the table calls it, and what makes it.
KINDS = {
    "tcp": ("TCP", straight(tcp)),
    "udp": ("UDP", straight(udp)),
    "icmp": ("ICMP errors about its flows", icmp),
    "sizes": ("UDP around the MTU", sizes),
}


CONFIGURATION = configuration.Configuration(
    "modes", configuration.head(configuration.NEIGHBOURS) + "".join(mode.services() for mode in MODES))


def case(mode: Mode, kind: str) -> Case:
    protocol, make = KINDS[kind]
    return Case((mode.feature, mode.family, protocol), CONFIGURATION, lambda: make(mode))


CASES = {f"{mode.name}_{kind}": case(mode, kind) for mode in MODES for kind in KINDS}
