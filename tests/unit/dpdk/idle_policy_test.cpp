// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/idle_policy.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

constexpr std::uint64_t spin_ticks = 1000;

TEST(IdlePolicy, SpinNeverSleeps) {
    IdlePolicy policy = IdlePolicy::spin();
    policy.note_traffic(5);
    EXPECT_EQ(policy.choose_sleep_ns(UINT64_MAX / 2), 0U);
}

TEST(IdlePolicy, SpinsBeforeItSleeps) {
    IdlePolicy policy = IdlePolicy::adaptive(spin_ticks);
    policy.note_traffic(10);
    EXPECT_EQ(policy.choose_sleep_ns(10), 0U);
    EXPECT_EQ(policy.choose_sleep_ns(10 + spin_ticks - 1), 0U);
    EXPECT_GT(policy.choose_sleep_ns(10 + spin_ticks), 0U);
}

TEST(IdlePolicy, SleepsGrowUpToTheLimit) {
    IdlePolicy policy = IdlePolicy::adaptive(spin_ticks);
    std::uint32_t before = 0;
    for (std::uint64_t now = spin_ticks; now < spin_ticks + 20; ++now) {
        const std::uint32_t sleep_ns = policy.choose_sleep_ns(now);
        EXPECT_GE(sleep_ns, before);
        EXPECT_LE(sleep_ns, 50'000U);
        before = sleep_ns;
    }
    EXPECT_EQ(before, 50'000U);
}

TEST(IdlePolicy, TrafficStartsItOver) {
    IdlePolicy policy = IdlePolicy::adaptive(spin_ticks);
    for (std::uint64_t now = spin_ticks; now < 2 * spin_ticks; ++now) {
        (void)policy.choose_sleep_ns(now);
    }
    policy.note_traffic(2 * spin_ticks);
    EXPECT_EQ(policy.choose_sleep_ns(2 * spin_ticks + 1), 0U);
    EXPECT_EQ(policy.choose_sleep_ns(3 * spin_ticks), IdlePolicy::first_sleep_ns);
}

} // namespace
} // namespace penstock
