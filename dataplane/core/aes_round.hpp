// SPDX-License-Identifier: Apache-2.0
// One round of AES on a 16-byte block (FIPS 197: ShiftRows, SubBytes, MixColumns, AddRoundKey),
// portable: the same as the AESENC instruction, for CPUs without it and for the test that holds
// both equal.
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

} // namespace penstock
