// SPDX-License-Identifier: Apache-2.0
#include "dataplane/cpu_baseline.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

constexpr CpuidWords everything{
    .leaf1_ecx = UINT32_MAX,
    .leaf7_ebx = UINT32_MAX,
    .extended1_ecx = UINT32_MAX,
    .xcr0 = UINT64_MAX,
};

TEST(CpuBaseline, TakesACpuThatHasEverything) {
    EXPECT_EQ(missing_cpu_feature(everything), nullptr);
}

TEST(CpuBaseline, TakesThisCpu) {
    // This test is compiled for the baseline too, so it could not run elsewhere.
    EXPECT_TRUE(__builtin_cpu_supports("avx2"));
}

TEST(CpuBaseline, NamesWhatIsMissing) {
    CpuidWords words = everything;
    words.leaf1_ecx &= ~(1U << 25U);
    EXPECT_STREQ(missing_cpu_feature(words), "aes");
    words = everything;
    words.leaf7_ebx &= ~(1U << 5U);
    EXPECT_STREQ(missing_cpu_feature(words), "avx2");
    words = everything;
    words.extended1_ecx &= ~(1U << 5U);
    EXPECT_STREQ(missing_cpu_feature(words), "abm");
}

TEST(CpuBaseline, WantsAKernelThatSavesAvxRegisters) {
    CpuidWords words = everything;
    words.xcr0 = 0x3; // x87 and SSE
    EXPECT_NE(missing_cpu_feature(words), nullptr);
    words = everything;
    words.leaf1_ecx &= ~(1U << 27U);
    EXPECT_NE(missing_cpu_feature(words), nullptr);
}

TEST(CpuBaseline, NothingOfARealOldCpuIsEnough) {
    EXPECT_NE(missing_cpu_feature(CpuidWords{}), nullptr);
}

} // namespace
} // namespace penstock
