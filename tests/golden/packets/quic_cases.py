# SPDX-License-Identifier: Apache-2.0
"""QUIC-LB: the connection ids are the test vectors of draft-ietf-quic-load-balancers-21, appendix B and 5.4.2.4, so that
no code of ours has made them."""

import dataclasses

from configuration import Configuration, head, service
from exchange import CLIENT6, ROUTER_MAC, Case, Exchange, forwarded
from maglev import Pool
from scapy.all import IP, UDP, IPv6, Packet, Raw
from tunnels import Outer

NAMED, OTHER, THIRD = "10.0.1.51", "10.0.1.52", "10.0.1.53"
SERVERS = (NAMED, OTHER, THIRD)
VIP, VIP6 = "198.51.100.60", "2001:db8:100::60"
KEY = "8f95f09245765f80256934e50c66207f"
VERSION_2 = 0x6B3343CF
OTHER_KEY = "fdf726a9893ec05c0632d3956680baf0"


@dataclasses.dataclass(frozen=True)
class Vector:
    """A row of the draft's appendix; the service that has this configuration has this port."""

    port: int
    config_id: int
    server_id: str
    nonce_bytes: int
    key: str
    connection_id: str

    def keys(self) -> str:
        key = f', key = "{self.key}"' if self.key else ""
        return (f"{{ config_id = {self.config_id}, server_id_bytes = {len(self.server_id) // 2},"
                f" nonce_bytes = {self.nonce_bytes}{key} }}")


PLAIN = Vector(443, 0, "c4605e", 4, "", "07c4605e4504cc4f")
PLAIN_LONG = Vector(444, 1, "350d28b420", 4, "", "20350d28b4203487d970")
FOUR_PASS = Vector(445, 0, "ed793a", 4, KEY, "0720b1d07b359d3c")
FOUR_PASS_ODD = Vector(446, 1, "ed793a51d49b8f5fab65", 5, KEY, "2fcc381bc74cb4fbad2823a3d1f8fed2")
SINGLE_PASS = Vector(447, 2, "ed793a51d49b8f5f", 8, KEY, "504dd2d05a7b0de9b2b9907afb5ecf8cc3")
# Printed there as configuration 3; the id's first byte says 0 (docs/design/quic.md).
FOUR_PASS_LONG = Vector(448, 0, "ed793a51d49b8f5fab", 9, KEY, "125779c9cc86beb3a3a4a3ca96fce4bfe0cdbc")
WORKED = Vector(449, 0, "31441a", 4, OTHER_KEY, "0767947d29be054a")
VECTORS = (PLAIN, PLAIN_LONG, FOUR_PASS, FOUR_PASS_ODD, SINGLE_PASS, FOUR_PASS_LONG, WORKED)
# The service of both, for a change from one key to the next; ids of three bytes. Plaintext ids name any server.
ROTATION_PORT = 450
PLAIN_ROTATION = Vector(ROTATION_PORT, 1, "ed793a", 4, "", "20ed793a01020304")


def other_ids(server_id: str) -> list[str]:
    """Ids of the two other servers."""
    return [f"{int(server_id, 16) ^ bit:0{len(server_id)}x}" for bit in (1, 2)]


def make_service(name: str, vip: str, port: int, server_id: str, configs: list[Vector]) -> str:
    ids = [server_id, *other_ids(server_id)]
    return service(name, vip, "udp", port, "ipip", list(SERVERS),
                   f"quic = [{', '.join(one.keys() for one in configs)}]", [f'server_id = "{one}"' for one in ids])


CONFIGURATION = Configuration("quic", (
    head(dict.fromkeys(SERVERS, ROUTER_MAC))
    + "".join(make_service(f"quic{one.port}", VIP, one.port, one.server_id, [one]) for one in VECTORS)
    + make_service("rotation", VIP, ROTATION_PORT, "ed793a", [FOUR_PASS, PLAIN_ROTATION])
    + make_service("quic6", VIP6, 443, PLAIN.server_id, [PLAIN])
))


def pool(port: int, vip: str = VIP) -> Pool:
    return Pool(vip, "udp", port, tuple((server, 100) for server in SERVERS))


def short_header(connection_id: str) -> bytes:
    return b"\x41" + bytes.fromhex(connection_id) + b"\x5a" * 30


def long_header(kind: int, connection_id: str, version: int = 1) -> bytes:
    """`kind`: 0 Initial, 1 0-RTT, 2 Handshake (RFC 9000 17.2); of version 2: 1, 2, 0 (RFC 9369 3.2)."""
    destination = bytes.fromhex(connection_id)
    return (bytes([0xC0 | kind << 4]) + version.to_bytes(4, "big") + bytes([len(destination)]) + destination
            + b"\x04\x01\x02\x03\x04" + b"\x5a" * 30)


def packet(payload: bytes, port: int, source: str = "192.0.2.1", sport: int = 40000) -> Packet:
    ip = IPv6(src=source, dst=VIP6) if ":" in source else IP(src=source, dst=VIP)
    return ip / UDP(sport=sport, dport=port) / Raw(payload)


def to(backend: str, one: Packet) -> Exchange:
    return forwarded(one, Outer("ipip", backend).around(one))


def elsewhere(port: int, first: int, vip: str = VIP, source: str = "192.0.2.1") -> int:
    """A source port, from `first`, whose flow goes to another server by its tuple."""
    return next(sport for sport in range(first, first + 100) if pool(port, vip).choose_by_tuple(source, sport) == OTHER)


def vectors():
    """Every form of the draft, in a short header and in a handshake packet, by a flow that would go elsewhere."""
    out = []
    for one in VECTORS:
        sport = elsewhere(one.port, 40000)
        out += [to(NAMED, packet(payload, one.port, sport=sport))
                for payload in (short_header(one.connection_id), long_header(2, one.connection_id))]
    return out


def migration():
    """A client that changes its address, and then its port, stays with its server; so does what names nobody then."""
    sport = elsewhere(443, 42000)
    named, reset = short_header(PLAIN.connection_id), b"\x41" + b"\xff" * 40
    return [to(OTHER, packet(long_header(0, "f0" * 8), 443, sport=sport)),
            to(NAMED, packet(named, 443, sport=sport)), to(NAMED, packet(named, 443, "203.0.113.77", 1234)),
            to(NAMED, packet(named, 443, "203.0.113.77", 4321)), to(NAMED, packet(reset, 443, "203.0.113.77", 4321))]


def unroutable():
    """By the tuple: ids that clients have made up, of no configuration, of no server, too short, and what is no QUIC."""
    payloads = [*(long_header(kind, PLAIN.connection_id) for kind in (0, 1)),
                *(long_header(kind, PLAIN.connection_id, VERSION_2) for kind in (1, 2)), short_header("e0" + PLAIN.connection_id[2:]),
                short_header("07ffffff4504cc4f"), b"\x41" + bytes.fromhex(PLAIN.connection_id)[:5], b"", b"\xc0\x00"]
    first = 41000
    out = [to(pool(443).choose_by_tuple("192.0.2.1", sport), packet(payload, 443, sport=sport))
           for sport, payload in enumerate(payloads, first)]
    # What the server chose is read; of a version that is not known any id.
    read = [long_header(0, PLAIN.connection_id, version) for version in (VERSION_2, 0xFF0000FF)]
    return out + [to(NAMED, packet(payload, 443, sport=elsewhere(443, first)))
                  for first, payload in zip((43000, 43200), read, strict=True)]


def rotation():
    """Two configurations at once."""
    sport = elsewhere(ROTATION_PORT, 40000)
    second = other_ids("ed793a")[1]
    return [to(NAMED, packet(short_header(FOUR_PASS.connection_id), ROTATION_PORT, sport=sport)),
            to(NAMED, packet(short_header(PLAIN_ROTATION.connection_id), ROTATION_PORT, sport=sport + 1)),
            to(THIRD, packet(short_header(f"20{second}01020304"), ROTATION_PORT, sport=sport + 2))]


def ipv6():
    sport = elsewhere(443, 40000, VIP6, CLIENT6)
    return [to(OTHER, packet(long_header(0, "f0" * 8), 443, CLIENT6, sport)),
            to(NAMED, packet(short_header(PLAIN.connection_id), 443, CLIENT6, sport)),
            to(NAMED, packet(short_header(PLAIN.connection_id), 443, "2001:db8:d::9", 1234))]


ROWS = {
    vectors: ("QUIC-LB, plaintext, four-pass and single-pass ids", "IPv4"),
    migration: ("QUIC-LB, a client that changes its address", "IPv4"),
    unroutable: ("QUIC-LB, ids that name nobody", "IPv4"),
    rotation: ("QUIC-LB, two configurations", "IPv4"),
    ipv6: ("QUIC-LB, a client that changes its address", "IPv6"),
}
CASES = {f"quic_{make.__name__}": Case((*row, "QUIC"), CONFIGURATION, make) for make, row in ROWS.items()}
