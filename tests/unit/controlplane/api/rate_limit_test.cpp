// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/rate_limit.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

using namespace std::chrono_literals;

const RateLimit::Time start{std::chrono::hours(1)};

TEST(RateLimit, ABurstAtOnceThenTheRate) {
    RateLimit limit(2, 4);
    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(limit.take("a", start));
    }
    EXPECT_FALSE(limit.take("a", start));
    EXPECT_TRUE(limit.take("b", start)); // of somebody else
    EXPECT_EQ(limit.wait_s(), 1U);
    EXPECT_FALSE(limit.has("a", start + 400ms));
    EXPECT_TRUE(limit.take("a", start + 500ms));
    EXPECT_FALSE(limit.take("a", start + 500ms));
    int taken = 0;
    for (int i = 0; i < 10; ++i) {
        taken += limit.take("a", start + 1h) ? 1 : 0;
    }
    EXPECT_EQ(taken, 4); // a bucket holds no more than the burst
}

TEST(RateLimit, RefusedOnesDoNotPushTheEndAway) {
    RateLimit limit(1, 1);
    EXPECT_TRUE(limit.take("a", start));
    for (auto at = start; at < start + 990ms; at += 10ms) {
        EXPECT_FALSE(limit.take("a", at));
    }
    EXPECT_TRUE(limit.take("a", start + 1001ms));
}

TEST(RateLimit, IsBoundedAndForgetsWhoAskedLongestAgo) {
    RateLimit limit(0.001, 1);
    EXPECT_TRUE(limit.take("first", start));
    EXPECT_TRUE(limit.take("second", start));
    for (std::size_t i = 2; i < RateLimit::max_clients; ++i) {
        EXPECT_TRUE(limit.take(fmt::format("{}", i), start));
    }
    EXPECT_FALSE(limit.take("first", start)); // which makes it the newest
    EXPECT_TRUE(limit.take("another", start));
    EXPECT_EQ(limit.size(), RateLimit::max_clients);
    EXPECT_FALSE(limit.has("first", start));
    EXPECT_TRUE(limit.has("second", start));
    EXPECT_EQ(limit.wait_s(), 1000U);
}

} // namespace
} // namespace penstock
