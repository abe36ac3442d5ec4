// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/aes_round.hpp"

#include <gtest/gtest.h>
#include <random>

#if defined(__AES__)
#include <immintrin.h>
#endif

namespace penstock {
namespace {

AesBlock block(const char* hex) {
    AesBlock bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(std::stoi(std::string(hex + (i * 2), 2), nullptr, 16));
    }
    return bytes;
}

// FIPS 197 appendix C.1, AES-128: the state at the start of a round, the round key, and the state
// at the start of the next.
TEST(AesRound, ReproducesFips197) {
    struct Case {
        const char* start;
        const char* key;
        const char* next;
    };

    const std::array<Case, 3> cases{{
        {"00102030405060708090a0b0c0d0e0f0",
         "d6aa74fdd2af72fadaa678f1d6ab76fe",
         "89d810e8855ace682d1843d8cb128fe4"},
        {"89d810e8855ace682d1843d8cb128fe4",
         "b692cf0b643dbdf1be9bc5006830b3fe",
         "4915598f55e5d7a0daca94fa1f0a63f7"},
        {"4915598f55e5d7a0daca94fa1f0a63f7",
         "b6ff744ed2c2c9bf6c590cbf0469bf41",
         "fa636a2825b339c940668a3157244d17"},
    }};
    for (const Case& one : cases) {
        EXPECT_EQ(aes_round(block(one.start), block(one.key)), block(one.next)) << one.start;
    }
}

#if defined(__AES__)

TEST(AesRound, EqualsTheInstruction) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 20000; ++i) {
        AesBlock state{};
        AesBlock key{};
        for (std::size_t byte = 0; byte < state.size(); ++byte) {
            state[byte] = static_cast<std::uint8_t>(random());
            key[byte] = static_cast<std::uint8_t>(random());
        }
        AesBlock expected{};
        _mm_storeu_si128(
            reinterpret_cast<__m128i*>(expected.data()),
            _mm_aesenc_si128(
                _mm_loadu_si128(reinterpret_cast<const __m128i*>(state.data())),
                _mm_loadu_si128(reinterpret_cast<const __m128i*>(key.data()))
            )
        );
        ASSERT_EQ(aes_round(state, key), expected);
    }
}

#endif

} // namespace
} // namespace penstock
