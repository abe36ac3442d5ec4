// SPDX-License-Identifier: Apache-2.0
// One round of AES on a 16-byte block (FIPS 197: ShiftRows, SubBytes, MixColumns, AddRoundKey),
// portable: the same as the AESENC instruction, for CPUs without it and for the test that holds
// both equal. The inverse rounds are those of the straightforward inverse cipher (FIPS 197 5.3).
//
// Thread rule: pure. Table look-ups depend on the data: not for secrets that an attacker could
// time.
#pragma once

#include <array>
#include <cstdint>

namespace penstock {

using AesBlock = std::array<std::uint8_t, 16>;

/// One AESENC: `state` through a round, then XOR `key`.
[[nodiscard]] AesBlock aes_round(const AesBlock& state, const AesBlock& key);

/// The last round, without MixColumns: AESENCLAST.
[[nodiscard]] AesBlock aes_last_round(const AesBlock& state, const AesBlock& key);

/// Undoes aes_last_round(): XOR `key`, then the inverse of ShiftRows and SubBytes.
[[nodiscard]] AesBlock aes_undo_last_round(const AesBlock& state, const AesBlock& key);

/// Undoes aes_round().
[[nodiscard]] AesBlock aes_undo_round(const AesBlock& state, const AesBlock& key);

/// SubBytes of one byte.
[[nodiscard]] std::uint8_t aes_substitute(std::uint8_t value);

} // namespace penstock
