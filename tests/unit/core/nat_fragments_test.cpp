// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/nat_fragments.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>

namespace penstock {
namespace {

TEST(NatFragments, RemembersForHalfAMinute) {
    const auto fragments = std::make_unique<NatFragments>();
    CoarseTime now{4090};
    const FlowHash datagram{0x1234567890abcdef};
    EXPECT_FALSE(fragments->find(datagram, now));
    fragments->remember(datagram, 42, now);
    EXPECT_EQ(fragments->find(datagram, now), 42U);
    now.ticks = (now.ticks + 15) & CoarseTime::mask;
    EXPECT_EQ(fragments->find(datagram, now), 42U);
    now.ticks = (now.ticks + 1) & CoarseTime::mask;
    EXPECT_FALSE(fragments->find(datagram, now));
}

TEST(NatFragments, TheSameIdAgainIsANewDatagram) {
    const auto fragments = std::make_unique<NatFragments>();
    const FlowHash datagram{99};
    fragments->remember(datagram, 1, {1});
    fragments->remember(datagram, 2, {2});
    EXPECT_EQ(fragments->find(datagram, {2}), 2U);
}

TEST(NatFragments, InAFullSetTheOldestGivesWay) {
    const auto fragments = std::make_unique<NatFragments>();
    const auto of = [](std::uint64_t n) { return FlowHash{(n << 32U) | 5U}; };
    for (std::uint32_t n = 1; n <= 4; ++n) {
        fragments->remember(of(n), n, {static_cast<std::uint16_t>(n)});
    }
    fragments->remember(of(5), 5, {6});
    EXPECT_FALSE(fragments->find(of(1), {6}));
    for (std::uint32_t n = 2; n <= 5; ++n) {
        EXPECT_EQ(fragments->find(of(n), {6}), n);
    }
}

TEST(NatFragments, HoldsThousands) {
    const auto fragments = std::make_unique<NatFragments>();
    std::mt19937_64 random(1);
    std::vector<FlowHash> datagrams;
    for (std::uint32_t n = 0; n < NatFragments::capacity / 4; ++n) {
        datagrams.push_back({random()});
        fragments->remember(datagrams.back(), n, {1});
    }
    std::size_t found = 0;
    for (std::uint32_t n = 0; n < datagrams.size(); ++n) {
        found += fragments->find(datagrams[n], {1}) == n ? 1U : 0U;
    }
    EXPECT_GT(found, datagrams.size() * 98 / 100);
}

} // namespace
} // namespace penstock
