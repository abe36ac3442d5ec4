# SPDX-License-Identifier: Apache-2.0
"""Connection ids as a server of QUIC-LB makes them, written from the text of draft-ietf-quic-load-balancers-21 alone."""

import dataclasses
import secrets
import subprocess

BLOCK_BYTES = 16
ID_BYTES = 18  # of ngtcp2's server; what a configuration leaves of them is random


@dataclasses.dataclass(frozen=True)
class IdForm:
    """One configuration of QUIC-LB. Without a key ids are plaintext."""

    config_id: int
    server_id_bytes: int
    nonce_bytes: int
    key: str | None = None  # 32 hexadecimal digits

    def toml(self) -> str:
        key = "" if self.key is None else f', key = "{self.key}"'
        return (f"{{ config_id = {self.config_id}, server_id_bytes = {self.server_id_bytes}, "
                f"nonce_bytes = {self.nonce_bytes}{key} }}")

    def make_ids(self, server_id: str, count: int) -> list[bytes]:
        texts = [bytes.fromhex(server_id) + secrets.token_bytes(self.nonce_bytes) for _ in range(count)]
        ids = []
        for text in self._encrypt(texts):
            first = self.config_id << 5 | secrets.randbelow(32)
            ids.append(bytes([first]) + text + secrets.token_bytes(ID_BYTES - 1 - len(text)))
        return ids

    def _encrypt(self, texts: list[bytes]) -> list[bytes]:
        if self.key is None:
            return texts
        if self.server_id_bytes + self.nonce_bytes == BLOCK_BYTES:
            return self._encrypt_blocks(texts)
        return self._encrypt_in_four_passes(texts)

    def _encrypt_blocks(self, blocks: list[bytes]) -> list[bytes]:
        command = ["openssl", "enc", "-aes-128-ecb", "-nopad", "-K", self.key]
        done = subprocess.run(command, input=b"".join(blocks), capture_output=True, check=True, timeout=10).stdout
        return [done[begin : begin + BLOCK_BYTES] for begin in range(0, len(done), BLOCK_BYTES)]

    def _encrypt_in_four_passes(self, texts: list[bytes]) -> list[bytes]:
        """Halves as whole numbers of half_bits each, so that an odd length is no case of its own."""
        length = self.server_id_bytes + self.nonce_bytes
        half_bits, half_bytes = length * 4, (length + 1) // 2
        spare_bits = half_bytes * 8 - half_bits
        numbers = [int.from_bytes(text, "big") for text in texts]
        left = [number >> half_bits for number in numbers]
        right = [number & ((1 << half_bits) - 1) for number in numbers]

        def mix(into: list[int], halves: list[int], number: int) -> list[int]:
            # A left half of an odd length ends with four bits of zero, a right half begins with them.
            of_left = number % 2 == 1
            shift = spare_bits if of_left else 0
            padding = bytes(BLOCK_BYTES - 2 - half_bytes) + bytes([length, number])
            masks = self._encrypt_blocks([(half << shift).to_bytes(half_bytes, "big") + padding for half in halves])
            mixed = []
            for half, mask in zip(into, masks, strict=True):
                begin = int.from_bytes(mask[:half_bytes], "big")
                mixed.append(half ^ (begin & ((1 << half_bits) - 1) if of_left else begin >> spare_bits))
            return mixed

        for number in (1, 3):
            right = mix(right, left, number)
            left = mix(left, right, number + 1)
        return [(one << half_bits | other).to_bytes(length, "big") for one, other in zip(left, right, strict=True)]
