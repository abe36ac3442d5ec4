# SPDX-License-Identifier: Apache-2.0
"""Path MTU of the tunnels: a router behind us says that our outer packet was too big (RFC 2003 5.1, RFC 2473 8.1).

A backend's MTU stays lowered by such a message: every service here has a backend of its own, but for those that share one
on purpose.
"""

import dataclasses

from configuration import Configuration, head, service
from exchange import (CLIENT, CLIENT6, CLIENT_MAC, ROUTER_MAC, TUNNEL_SOURCE, TUNNEL_SOURCE6, Case, Exchange, dropped, ether,
                      forwarded, leaving, side_by_side)
from modes import KEYS, MODES, Mode
from scapy.all import ICMP, IP, TCP, UDP, ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6, Packet, Raw
from tunnels import too_big

ROUTER, ROUTER6 = "10.9.9.9", "fd00:9::9"
MTU = 1400  # that the router names


@dataclasses.dataclass(frozen=True)
class Service(Mode):
    """A mode with a service and, unless `shared` says which, a backend of its own."""

    number: int = 0
    shared: int = 0

    @property
    def backend(self) -> str:
        return f"10.0.4.{self.shared or self.number}" if self.over == 4 else f"fd00:4::{self.shared or self.number}"

    def text(self) -> str:
        return service(f"mtu{self.number}", self.vip, "tcp", 80, self.kind.rstrip("01"), self.backend,
                       KEYS.get(self.kind, ""))


def complaint(outer: Packet, mtu: int = MTU, quoted_bytes: int | None = None) -> Packet:
    """What the router says; IPv4 quotes at most 576 bytes in all (RFC 1812 4.3.2.3), IPv6 1280 (RFC 4443 3.2)."""
    if isinstance(outer, IP):
        return (IP(src=ROUTER, dst=TUNNEL_SOURCE) / ICMP(type=3, code=4, nexthopmtu=mtu)
                / Raw(bytes(outer)[:quoted_bytes or 548]))
    return IPv6(src=ROUTER6, dst=TUNNEL_SOURCE6) / ICMPv6PacketTooBig(mtu=mtu) / Raw(bytes(outer)[:quoted_bytes or 1232])


def told(mode: Mode, packet: Packet, mtu: int = MTU) -> Exchange:
    """The router's message becomes one to the client about its own packet, and goes back where it came from."""
    outer = mode.way.around(packet)
    sent = complaint(outer, mtu)
    quoted = len(sent) - (28 if mode.over == 4 else 48) - mode.way.length
    answer = too_big(packet, max(mtu - mode.way.length, 1280 if mode.inner == 6 else 0), quoted)
    return Exchange(bytes(ether((), ROUTER_MAC) / sent), "reply", (leaving(answer, ROUTER_MAC),))


def segment(mode: Mode, length: int, sport: int = 40000, **header) -> Packet:
    """Of `length` bytes with its IP header."""
    if mode.inner == 4:
        return IP(src=CLIENT, dst=mode.vip, **header) / TCP(sport=sport, dport=80, flags="A") / (b"m" * (length - 40))
    return IPv6(src=CLIENT6, dst=mode.vip) / TCP(sport=sport, dport=80, flags="A") / (b"m" * (length - 60))


def refused(reason: str, packet: Packet) -> Exchange:
    return dropped(reason, ether((), ROUTER_MAC) / packet)


def path_mtu(mode: Mode) -> list[Exchange]:
    """The client is told by the router's message, from then on by ourselves; what may be cut is."""
    most = MTU - mode.way.length
    large = segment(mode, 1440, flags="DF") if mode.inner == 4 else segment(mode, 1440)
    fits = segment(mode, most)
    out = [forwarded(large, mode.way.around(large), mode.mac), told(mode, large),
           Exchange(bytes(ether() / large), "reply", (leaving(too_big(large, most), CLIENT_MAC),)),
           forwarded(fits, mode.way.around(fits), mode.mac)]
    if mode.inner == 4:
        soft = segment(mode, 1440, id=5)
        out.append(forwarded(soft, mode.way.cut(soft, MTU), mode.mac))
    return out


SHARED = 90
SERVICES: list[Service] = []


def service_of(name: str, shared: int = 0) -> Service:
    """A new one."""
    mode = next(one for one in MODES if one.name == name)
    number = len(SERVICES) + 1
    vip = f"198.51.101.{number}" if mode.inner == 4 else f"2001:db8:101::{number}"
    fields = {field.name: getattr(mode, field.name) for field in dataclasses.fields(mode)} | {"vip": vip}
    SERVICES.append(Service(**fields, number=number, shared=shared))
    return SERVICES[-1]


TUNNELS = [service_of(mode.name) for mode in MODES if mode.over]
NOT_TOLD, LEAST = service_of("ipip_4in4"), service_of("gue0_6in6")
NOT_BELIEVED, NOT_BELIEVED6 = service_of("ipip_4in4"), service_of("ipip_4in6")
SHARING = [service_of(name, SHARED) for name in ("ipip_6in4", "ipip_4in4", "gre_4in4", "gue1_6in4", "gue0_4in4")]


def shared_backend():
    """Services of one backend address, each with its own tunnel: what is quoted says whose client is to be told."""
    return [told(one, segment(one, 1440, flags="DF") if one.inner == 4 else segment(one, 1440)) for one in SHARING]


def not_told():
    """The MTU is noted, but nobody hears of a packet that may be cut, of an ICMP error, or of too few bytes."""
    mode = NOT_TOLD
    soft = segment(mode, 1440, id=5)
    answered = bytes(IP(src=mode.vip, dst=CLIENT) / TCP(sport=80, dport=40000) / (b"m" * 1380))
    error = IP(src="203.0.113.9", dst=mode.vip, flags="DF") / ICMP(type=3, code=1) / answered
    hard = segment(mode, 1440, flags="DF")
    return [forwarded(soft, mode.way.around(soft)), refused("tunnel_error", complaint(mode.way.around(soft))),
            forwarded(soft, mode.way.cut(soft, MTU)),
            refused("tunnel_error", complaint(mode.way.around(error, 0))), dropped("too_big", ether() / error),
            refused("tunnel_error", complaint(mode.way.around(hard), MTU, 28)),
            refused("tunnel_error", complaint(mode.way.around(segment(mode, 1000, flags="DF"))))]


def at_least_1280():
    """No IPv6 sender makes its packets smaller (RFC 8201 4), so it is not told to: 1,280 bytes that do not fit are lost."""
    mode = LEAST
    large, least = segment(mode, 1400), segment(mode, 1280)
    return [told(mode, large, 1300), dropped("too_big", ether() / least),
            Exchange(bytes(ether() / large), "reply", (leaving(too_big(large, 1280), CLIENT_MAC),)),
            forwarded(segment(mode, 1300 - mode.way.length), mode.way.around(segment(mode, 1300 - mode.way.length)))]


def not_believed():
    """Smaller than any link may be (RFC 5927 7.2), not about size, or about nothing of ours."""
    mode, six = NOT_BELIEVED, NOT_BELIEVED6
    large = segment(mode, 1440, flags="DF")
    outer, outer6 = mode.way.around(large), six.way.around(segment(six, 1440, flags="DF"))
    foreign = outer.copy()
    foreign.dst = "10.0.99.99"
    del foreign.chksum
    return [refused("tunnel_error", complaint(outer, 500)),
            refused("tunnel_error", complaint(outer6, 1200)),
            refused("tunnel_error", IP(src=ROUTER, dst=TUNNEL_SOURCE) / ICMP(type=3, code=1) / Raw(bytes(outer)[:548])),
            refused("tunnel_error", IPv6(src=ROUTER6, dst=TUNNEL_SOURCE6) / ICMPv6DestUnreach() / Raw(bytes(outer6)[:548])),
            Exchange(bytes(ether((), ROUTER_MAC) / complaint(foreign)), "kernel"),
            Exchange(bytes(ether((), ROUTER_MAC) / complaint(IP(src=TUNNEL_SOURCE, dst=mode.backend) / TCP() / bytes(20))),
                     "kernel"),
            Exchange(bytes(ether((), ROUTER_MAC) / IP(src=ROUTER, dst=TUNNEL_SOURCE) / UDP(dport=9)), "kernel"),
            forwarded(large, outer)]


CONFIGURATION = Configuration(
    "path_mtu", head({one.backend: ROUTER_MAC for one in SERVICES}) + "".join(one.text() for one in SERVICES))
ROWS = {
    shared_backend: ("path MTU: services that share a backend", "both over IPv4", "ICMP, TCP"),
    not_told: ("path MTU: who is not told", "IPv4 in IPv4", "ICMP, TCP"),
    at_least_1280: ("path MTU: below 1,280 bytes", "IPv6 in IPv6", "ICMPv6, TCP"),
    not_believed: ("path MTU: what is not believed", "IPv4 in both", "ICMP, ICMPv6"),
}
CASES = {f"path_mtu_{one.name}": Case((f"path MTU of {one.feature}", one.family, "ICMP, TCP"), CONFIGURATION,
                                      lambda one=one: side_by_side(path_mtu(one))) for one in TUNNELS} | {
    f"path_mtu_{make.__name__}": Case(row, CONFIGURATION, lambda make=make: side_by_side(make())) for make, row in ROWS.items()}
