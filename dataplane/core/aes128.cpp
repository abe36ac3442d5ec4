// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/aes128.hpp"

#include <cstdint>

#if defined(__AES__)
#include <immintrin.h>
#endif

namespace penstock {
namespace {

AesBlock exclusive_or(const AesBlock& a, const AesBlock& b) {
    AesBlock result{};
    for (std::size_t i = 0; i < result.size(); ++i) {
        result[i] = static_cast<std::uint8_t>(a[i] ^ b[i]);
    }
    return result;
}

#if defined(__AES__)

__m128i load(const AesBlock& block) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(block.data()));
}

AesBlock store(__m128i value) {
    AesBlock block;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(block.data()), value);
    return block;
}

#endif

} // namespace

// FIPS 197 5.2.
Aes128::Aes128(const AesBlock& key) {
    keys_[0] = key;
    std::uint8_t round_constant = 1;
    for (std::size_t round = 1; round <= rounds; ++round) {
        const AesBlock& old = keys_[round - 1];
        AesBlock& next = keys_[round];
        for (std::size_t i = 0; i < 4; ++i) {
            const std::uint8_t substituted = aes_substitute(old[12 + ((i + 1) % 4)]);
            next[i] = static_cast<std::uint8_t>(
                old[i] ^ substituted ^ (i == 0 ? round_constant : std::uint8_t{0})
            );
        }
        for (std::size_t i = 4; i < next.size(); ++i) {
            next[i] = static_cast<std::uint8_t>(old[i] ^ next[i - 4]);
        }
        const unsigned doubled = unsigned{round_constant} << 1U;
        round_constant =
            static_cast<std::uint8_t>(doubled ^ ((doubled & 0x100U) != 0 ? 0x11bU : 0U));
    }
}

AesBlock Aes128::encrypt_portable(const AesBlock& block) const {
    AesBlock state = exclusive_or(block, keys_[0]);
    for (std::size_t round = 1; round < rounds; ++round) {
        state = aes_round(state, keys_[round]);
    }
    return aes_last_round(state, keys_[rounds]);
}

AesBlock Aes128::decrypt_portable(const AesBlock& block) const {
    AesBlock state = aes_undo_last_round(block, keys_[rounds]);
    for (std::size_t round = rounds - 1; round > 0; --round) {
        state = aes_undo_round(state, keys_[round]);
    }
    return exclusive_or(state, keys_[0]);
}

#if defined(__AES__)

AesBlock Aes128::encrypt(const AesBlock& block) const {
    __m128i state = _mm_xor_si128(load(block), load(keys_[0]));
    for (std::size_t round = 1; round < rounds; ++round) {
        state = _mm_aesenc_si128(state, load(keys_[round]));
    }
    return store(_mm_aesenclast_si128(state, load(keys_[rounds])));
}

AesBlock Aes128::decrypt(const AesBlock& block) const {
    // AESDEC is a round of the equivalent inverse cipher, whose middle keys are unmixed (FIPS 197
    // 5.3.5). Unmixing here costs one instruction a round and saves a second schedule.
    __m128i state = _mm_xor_si128(load(block), load(keys_[rounds]));
    for (std::size_t round = rounds - 1; round > 0; --round) {
        state = _mm_aesdec_si128(state, _mm_aesimc_si128(load(keys_[round])));
    }
    return store(_mm_aesdeclast_si128(state, load(keys_[0])));
}

#else

AesBlock Aes128::encrypt(const AesBlock& block) const {
    return encrypt_portable(block);
}

AesBlock Aes128::decrypt(const AesBlock& block) const {
    return decrypt_portable(block);
}

#endif

} // namespace penstock
