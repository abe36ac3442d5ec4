// SPDX-License-Identifier: Apache-2.0
// AES-128 on single blocks (FIPS 197): what QUIC-LB's connection ids are encrypted with.
//
// Thread rule: immutable after construction. The AES-NI and the portable code return the same
// values (aes128_test.cpp holds them equal); the portable one looks up tables by secret bytes, so
// it is for tests and for CPUs without the instructions.
#pragma once

#include "dataplane/core/aes_round.hpp"

#include <array>
#include <cstddef>

namespace penstock {

class Aes128 {
public:
    static constexpr std::size_t rounds = 10;

    Aes128() : Aes128(AesBlock{}) {} ///< of key 0

    explicit Aes128(const AesBlock& key);

    [[nodiscard]] AesBlock encrypt(const AesBlock& block) const;
    [[nodiscard]] AesBlock decrypt(const AesBlock& block) const;

    [[nodiscard]] AesBlock encrypt_portable(const AesBlock& block) const;
    [[nodiscard]] AesBlock decrypt_portable(const AesBlock& block) const;

private:
    std::array<AesBlock, rounds + 1> keys_{};
};

} // namespace penstock
