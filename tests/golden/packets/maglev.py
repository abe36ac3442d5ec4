# SPDX-License-Identifier: Apache-2.0
"""Which backend of several a new flow gets: Eisenbud et al., NSDI 2016, 3.4, with what dataplane/core/maglev.hpp leaves open.

Equal pools choose alike on both nodes of a pair and after an upgrade, so the golden packets have the choice.
"""

import dataclasses
import functools
import ipaddress

import flow_hash

SIZE = 16381  # configuration.service()
WORD = (1 << 64) - 1
PROTOCOLS = {"any": 0, "tcp": 6, "udp": 17}


def sixteen(address: str) -> bytes:
    """IPv4 as a mapped address (RFC 4291 2.5.5.2)."""
    packed = ipaddress.ip_address(address).packed
    return packed if len(packed) == 16 else bytes(10) + b"\xff\xff" + packed


def hash_identity(name: bytes) -> int:
    """FNV-1a, then the finalizer of SplitMix64."""
    value = 0xCBF29CE484222325
    for byte in name:
        value = ((value ^ byte) * 0x100000001B3) & WORD
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & WORD
    return value ^ (value >> 31)


@dataclasses.dataclass(frozen=True)
class Pool:
    """A service of one port, or of any port (0), and its backends by address and weight."""

    vip: str
    protocol: str
    port: int
    backends: tuple[tuple[str, int], ...]

    def identity(self, backend: str) -> int:
        port = self.port.to_bytes(2, "big")
        return hash_identity(sixteen(self.vip) + bytes([PROTOCOLS[self.protocol]]) + port + sixteen(backend) + port)

    @functools.cached_property
    def slots(self) -> list[str]:
        members = sorted((self.identity(backend), backend, weight) for backend, weight in self.backends if weight)
        # A backend of weight w has its k-th turn at (k - 1/2) / w; ties go by identity.
        total = sum(weight for _, _, weight in members)
        turns = sorted(((2 * turn + 1) / weight, number) for number, (_, _, weight) in enumerate(members)
                       for turn in range(SIZE * weight // total + 2))
        places = [identity % (1 << 32) % SIZE for identity, _, _ in members]
        skips = [(identity >> 32) % (SIZE - 1) + 1 for identity, _, _ in members]
        slots: list[str | None] = [None] * SIZE
        for _, number in turns[:SIZE]:
            while slots[places[number]] is not None:
                places[number] = (places[number] + skips[number]) % SIZE
            slots[places[number]] = members[number][1]
        return slots

    def choose(self, value: int) -> str:
        return self.slots[(((value >> 16) & 0xFFFFFFFF) * SIZE) >> 32]

    def choose_by_tuple(self, source: str, source_port: int, port: int | None = None) -> str:
        return self.choose(flow_hash.flow_hash(source, self.vip, source_port, port or self.port, PROTOCOLS[self.protocol]))

    def choose_by_client(self, source: str, prefix: int) -> str:
        """Of the address, its first bits count; nothing else of the tuple is there."""
        network = ipaddress.ip_network(f"{source}/{prefix}", strict=False).network_address
        return self.choose(flow_hash.flow_hash(str(network), "0.0.0.0" if network.version == 4 else "::", 0, 0, 0))

    def choose_by_client_port(self, source: str, source_port: int) -> str:
        return self.choose(flow_hash.flow_hash(source, "0.0.0.0" if ":" not in source else "::", source_port, 0, 0))
