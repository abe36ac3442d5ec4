# SPDX-License-Identifier: Apache-2.0
"""Forwarding modes x families x protocols: a row of MODES and a row of PROTOCOLS make a case each."""

import collections.abc
import dataclasses

import configuration
from exchange import CLIENT, ONLINK_MAC, ROUTER_MAC, Case, Exchange, Outer, forwarded
from scapy.all import IP, TCP, UDP, Packet

PORTS = {"tcp": 80, "udp": 53}


@dataclasses.dataclass(frozen=True)
class Mode:
    """`outside` makes of an inner packet what leaves, without the Ethernet header."""

    name: str
    family: str
    forwarding: str
    client: str
    vip: str
    backend: str
    mac: str
    outside: collections.abc.Callable[[Outer, Packet, str], Packet]


def unchanged(_: Outer, inner: Packet, __: str) -> Packet:
    return inner


MODES = (
    Mode("l2dsr_4", "IPv4", '"l2dsr"', CLIENT, "198.51.100.10", "10.0.2.11", ONLINK_MAC, unchanged),
    Mode("ipip_4in4", "IPv4 in IPv4", '"ipip"', CLIENT, "198.51.100.10", "10.0.1.11", ROUTER_MAC, Outer.ipip),
)


def header(mode: Mode, **fields) -> Packet:
    """The inner IP header; fields by their IPv4 names."""
    return IP(src=mode.client, dst=mode.vip, **fields)


def tcp(mode: Mode) -> list[Packet]:
    """A connection from its SYN to a reset, then what marks and fragments it."""
    out = [header(mode, flags="DF") / TCP(sport=40001, dport=PORTS["tcp"], flags=flags) / payload
           for flags, payload in (("S", b""), ("A", b""), ("PA", b"GET / HTTP/1.1\r\n\r\n"), ("FA", b""), ("A", b""),
                                  ("R", b""))]
    return out + [header(mode, tos=tos) / TCP(sport=40002, dport=PORTS["tcp"], flags="S") for tos in (0, 1, 0xb8, 0xff)]


def udp(mode: Mode) -> list[Packet]:
    return [header(mode) / UDP(sport=40000, dport=PORTS["udp"]) / payload for payload in (b"query", b"", b"x" * 511)]


PROTOCOLS = {"tcp": tcp, "udp": udp}


def exchanges(mode: Mode, protocol: str) -> list[Exchange]:
    outer = Outer()
    return [forwarded(inner, mode.outside(outer, inner, mode.backend), mode.mac) for inner in PROTOCOLS[protocol](mode)]


def case(mode: Mode, protocol: str) -> Case:
    text = configuration.head({mode.backend: mode.mac}) + configuration.service(
        "golden", mode.vip, protocol, PORTS[protocol], mode.forwarding, mode.backend)
    row = (f"`{mode.forwarding.partition(chr(10))[0].strip(chr(34))}`", mode.family, protocol.upper())
    return Case(row, text, lambda: exchanges(mode, protocol))


CASES = {f"{mode.name}_{protocol}": case(mode, protocol) for mode in MODES for protocol in PROTOCOLS}
