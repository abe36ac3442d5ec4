// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/aes128.hpp"

#include "tests/unit/core/hex.hpp"

#include <gtest/gtest.h>
#include <random>

namespace penstock {
namespace {

using test::block_of;

// FIPS 197 appendix B and C.1.
TEST(Aes128, ReproducesFips197) {
    const Aes128 b(block_of("2b7e151628aed2a6abf7158809cf4f3c"));
    EXPECT_EQ(
        b.encrypt(block_of("3243f6a8885a308d313198a2e0370734")),
        block_of("3925841d02dc09fbdc118597196a0b32")
    );
    const Aes128 c(block_of("000102030405060708090a0b0c0d0e0f"));
    const AesBlock text = block_of("00112233445566778899aabbccddeeff");
    const AesBlock cipher = block_of("69c4e0d86a7b0430d8cdb78070b4c55a");
    EXPECT_EQ(c.encrypt(text), cipher);
    EXPECT_EQ(c.encrypt_portable(text), cipher);
    EXPECT_EQ(c.decrypt(cipher), text);
    EXPECT_EQ(c.decrypt_portable(cipher), text);
}

TEST(Aes128, TwinsAgreeAndDecryptUndoesEncrypt) {
    std::mt19937_64 random(1);
    const auto any = [&random] {
        AesBlock block{};
        for (std::uint8_t& byte : block) {
            byte = static_cast<std::uint8_t>(random());
        }
        return block;
    };
    for (int i = 0; i < 5000; ++i) {
        const Aes128 cipher(any());
        const AesBlock text = any();
        const AesBlock encrypted = cipher.encrypt(text);
        ASSERT_EQ(cipher.encrypt_portable(text), encrypted);
        ASSERT_EQ(cipher.decrypt(encrypted), text);
        ASSERT_EQ(cipher.decrypt_portable(encrypted), text);
        ASSERT_NE(encrypted, text);
    }
}

} // namespace
} // namespace penstock
