# SPDX-License-Identifier: Apache-2.0
"""The keyed flow hash, from FIPS 197 and the contract in dataplane/core/hash.hpp, for the key of 16 zero bytes.

The RFCs leave to us what a flow's entropy is (GUE's source port, the flow label, the host bits of a tunnel source, the
first NAT port). It must be the same on both nodes of a pair and after an upgrade, so the golden packets have it.
"""

import ipaddress
import struct

ROUNDS = 4
FIRST_ENTROPY_PORT = 49152  # RFC 6335 6: dynamic ports


def times_two(x: int) -> int:
    return ((x << 1) ^ (0x11B if x & 0x80 else 0)) & 0xFF


def multiply(a: int, b: int) -> int:
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a, b = times_two(a), b >> 1
    return product


def substitute(value: int) -> int:
    """FIPS 197 5.1.1."""
    inverse = next((x for x in range(256) if multiply(value, x) == 1), 0)
    bits = inverse
    for shift in range(1, 5):
        bits ^= ((inverse << shift) | (inverse >> (8 - shift))) & 0xFF
    return bits ^ 0x63


SBOX = [substitute(value) for value in range(256)]


def exclusive_or(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def aes_round(state: bytes, key: bytes) -> bytes:
    """ShiftRows, SubBytes, MixColumns, AddRoundKey."""
    shifted = [SBOX[state[(column + row) % 4 * 4 + row]] for column in range(4) for row in range(4)]
    mixed = []
    for column in range(4):
        a = shifted[4 * column:4 * column + 4]
        mixed += [times_two(a[i]) ^ times_two(a[(i + 1) % 4]) ^ a[(i + 1) % 4] ^ a[(i + 2) % 4] ^ a[(i + 3) % 4]
                  for i in range(4)]
    return exclusive_or(bytes(mixed), key)


def round_key(number: int) -> bytes:
    block = struct.pack("<QQ", number + 1, 0)
    for _ in range(8):
        block = aes_round(block, bytes(16))
    return block


ROUND_KEYS = [round_key(number) for number in range(ROUNDS + 1)]


def encrypt(block: bytes, rounds: int) -> bytes:
    block = exclusive_or(block, ROUND_KEYS[0])
    for number in range(1, rounds + 1):
        block = aes_round(block, ROUND_KEYS[number])
    return block


def flow_hash(source: str, destination: str, source_port: int, destination_port: int, protocol: int) -> int:
    a, b = ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed
    ports = struct.pack("!HH", source_port, destination_port) + bytes([protocol, 0, 0])
    if len(a) == 4:
        block = encrypt(a + b + ports + b"\x04", ROUNDS)
    else:
        state = encrypt(exclusive_or(encrypt(a, ROUNDS // 2), b), ROUNDS // 2)
        block = encrypt(exclusive_or(state, bytes(8) + ports + b"\x00"), ROUNDS)
    return struct.unpack("<Q", block[:8])[0]


def datagram_hash(source: str, destination: str, identification: int, protocol: int) -> int:
    """Of a later fragment, which has no ports: IPv4's 16 bits stand in the place of the first port, IPv6's 32 in both
    (docs/design/fragments.md). IPv6 does not count the protocol in (RFC 8200 4.5)."""
    if ipaddress.ip_address(source).version == 4:
        return flow_hash(source, destination, identification, 0, protocol)
    return flow_hash(source, destination, identification >> 16, identification & 0xFFFF, 0)


def entropy_port(value: int) -> int:
    return FIRST_ENTROPY_PORT | (value >> 40) & 0x3FFF


def flow_label(value: int) -> int:
    return (value >> 12) & 0xFFFFF
