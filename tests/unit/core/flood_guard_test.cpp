// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/flood_guard.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

constexpr std::size_t capacity = 1'000'000;
constexpr ServiceId web{1};
constexpr ServiceId dns{2};

class FloodGuardTest : public testing::Test {
protected:
    // How many of `count` SYNs may make an entry.
    std::uint32_t send(ServiceId service, std::uint32_t count) {
        std::uint32_t admitted = 0;
        for (std::uint32_t i = 0; i < count; ++i) {
            admitted += guard.admit_syn(service, now, entries, capacity) ? 1 : 0;
        }
        return admitted;
    }

    void pass_windows(unsigned count) {
        now.ticks = static_cast<std::uint16_t>((now.ticks + count) & CoarseTime::mask);
    }

    FloodGuard guard;
    CoarseTime now{100};
    std::size_t entries = 1000;
};

TEST_F(FloodGuardTest, AdmitsACalmService) {
    for (int window = 0; window < 20; ++window) {
        EXPECT_EQ(send(web, FloodGuard::enter_syns - 1), FloodGuard::enter_syns - 1);
        pass_windows(1);
    }
}

TEST_F(FloodGuardTest, EntersAFloodWithinTheWindow) {
    EXPECT_EQ(send(web, FloodGuard::enter_syns + 5000), FloodGuard::enter_syns - 1);
    EXPECT_TRUE(guard.is_flooded(web));
}

TEST_F(FloodGuardTest, OneServiceDoesNotSufferForAnother) {
    EXPECT_LT(send(web, FloodGuard::enter_syns * 2), FloodGuard::enter_syns);
    EXPECT_EQ(send(dns, 1000), 1000U);
    EXPECT_FALSE(guard.is_flooded(dns));
}

// Between the two bounds a flood goes on and a calm service stays calm.
TEST_F(FloodGuardTest, HasHysteresis) {
    const std::uint32_t between = FloodGuard::leave_syns + 1000;
    EXPECT_EQ(send(web, between), between);
    pass_windows(1);
    send(web, FloodGuard::enter_syns);
    for (int window = 0; window < 10; ++window) {
        pass_windows(1);
        EXPECT_EQ(send(web, between), 0U) << window;
    }
}

TEST_F(FloodGuardTest, LeavesAfterOneCalmWindow) {
    send(web, FloodGuard::enter_syns);
    pass_windows(1);
    EXPECT_EQ(send(web, 10), 0U) << "this window is not known to be calm yet";
    pass_windows(1);
    EXPECT_EQ(send(web, 10), 10U);
    EXPECT_FALSE(guard.is_flooded(web));
}

TEST_F(FloodGuardTest, LeavesAfterSilence) {
    send(web, FloodGuard::enter_syns * 2);
    pass_windows(2);
    EXPECT_EQ(send(web, 10), 10U);
}

TEST_F(FloodGuardTest, StopsBeforeTheTableIsFullAndStartsWellBelow) {
    entries = 874'999;
    EXPECT_EQ(send(web, 1), 1U);
    entries = 875'000; // 14/16
    EXPECT_EQ(send(web, 1), 0U);
    EXPECT_TRUE(guard.is_flooded(web));
    EXPECT_EQ(send(dns, 1), 0U);
    entries = 812'500; // 13/16
    EXPECT_EQ(send(web, 1), 0U);
    entries = 812'499;
    EXPECT_EQ(send(web, 1), 1U);
    entries = 850'000;
    EXPECT_EQ(send(web, 1), 1U);
}

} // namespace
} // namespace penstock
