// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/rate_limit.hpp"

#include "dataplane/core/line_memory.hpp"

#include <gtest/gtest.h>
#include <random>

namespace penstock {
namespace {

TEST(TokenBucket, LetsASecondsWorthInAtOnce) {
    TokenBucket bucket;
    const std::uint64_t start = 1'000'000;
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(bucket.take(5, start)) << i;
    }
    EXPECT_FALSE(bucket.take(5, start));
    EXPECT_FALSE(bucket.take(5, start + 199));
    EXPECT_TRUE(bucket.take(5, start + 200));
    EXPECT_FALSE(bucket.take(5, start + 200));
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(bucket.take(5, start + 5000)) << i;
    }
    EXPECT_FALSE(bucket.take(5, start + 5000)) << "no more than a second is saved up";
}

// Ten seconds of asking, at any pace: the rate and the burst, neither more nor less.
TEST(TokenBucket, KeepsTheRateWhateverThePace) {
    std::mt19937_64 random(1);
    for (const std::uint32_t rate : {1U, 3U, 7U, 1000U, 33333U}) {
        TokenBucket bucket;
        std::uint64_t now = 5000;
        const std::uint64_t end = now + 10'000;
        std::uint64_t taken = 0;
        while (now < end) {
            for (std::size_t i = 0; i < 2 + (rate / 200); ++i) {
                taken += bucket.take(rate, now) ? 1U : 0U;
            }
            now += random() % 5;
        }
        EXPECT_LE(taken, 11U * rate);
        EXPECT_GE(taken + 1, 10U * rate);
    }
}

TEST(TokenBucket, SurvivesTimeThatWrapsAndGoesBack) {
    TokenBucket bucket;
    const std::uint64_t wrap = std::uint64_t{1} << 32U;
    EXPECT_TRUE(bucket.take(1, wrap - 10));
    EXPECT_FALSE(bucket.take(1, wrap + 10));
    EXPECT_TRUE(bucket.take(1, wrap + 1000));
    EXPECT_FALSE(bucket.take(1, wrap + 500));
    EXPECT_FALSE(bucket.take(1, wrap + 900));
    EXPECT_TRUE(bucket.take(1, wrap + 3000));
    TokenBucket fast;
    for (std::uint32_t i = 0; i < max_rate_per_s; ++i) {
        ASSERT_TRUE(fast.take(max_rate_per_s, 1));
    }
    EXPECT_FALSE(fast.take(max_rate_per_s, 1));
}

TEST(ShareOfLimit, AddsUpToTheLimitOrABitMore) {
    for (const std::uint32_t limit : {1U, 5U, 1000U, 4'000'000'000U}) {
        for (std::size_t workers = 1; workers <= max_workers; ++workers) {
            const std::uint64_t sum = std::uint64_t{share_of_limit(limit, workers)} * workers;
            EXPECT_GE(sum, limit);
            EXPECT_LT(sum, limit + workers);
        }
    }
}

TEST(SourceLimiter, LimitsEachSourceByItself) {
    const LineMemory memory(SourceLimiter::bytes_for(1000));
    SourceLimiter limiter(memory.span());
    std::mt19937_64 random(1);
    const FlowHash noisy{random()};
    const FlowHash quiet{random()};
    int let_in = 0;
    for (int i = 0; i < 100; ++i) {
        let_in += limiter.take(noisy, 10, 1000) ? 1 : 0;
    }
    EXPECT_EQ(let_in, 10);
    EXPECT_TRUE(limiter.take(quiet, 10, 1000));
    EXPECT_TRUE(limiter.take(noisy, 10, 1100)) << "one more after a tenth of a second";
    EXPECT_FALSE(limiter.take(noisy, 10, 1100));
}

// A flood of sources, each once: the noisy one stays known, however many come.
TEST(SourceLimiter, AFullTableForgetsThoseWhoUsedLeast) {
    const LineMemory memory(SourceLimiter::bytes_for(64));
    SourceLimiter limiter(memory.span());
    std::mt19937_64 random(1);
    const FlowHash noisy{random()};
    std::uint64_t now = 1000;
    int let_in = 0;
    for (int i = 0; i < 50'000; ++i) {
        let_in += limiter.take(noisy, 10, now) ? 1 : 0;
        EXPECT_TRUE(limiter.take({random()}, 10, now)) << "others are let in";
        now += i % 10 == 0 ? 1U : 0U; // 5 s in all
    }
    EXPECT_GE(let_in, 55);
    EXPECT_LE(let_in, 65);
    EXPECT_GT(limiter.displaced(), 40'000U);
}

TEST(SourceLimiter, MemoryIsBounded) {
    EXPECT_EQ(SourceLimiter::bytes_for(1), 128U);
    EXPECT_EQ(SourceLimiter::bytes_for(1'000'000), std::size_t{131072} * 128);
    EXPECT_EQ(SourceLimiter::bytes_for(SIZE_MAX / 2), SourceLimiter::max_sets * 128);
}

} // namespace
} // namespace penstock
