// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/backend_course.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using namespace std::chrono_literals;
using Time = BackendCourse::Time;

const Time start{1000h};

TEST(BackendCourse, AFewFailuresHoldNothing) {
    const config::HealthPolicy policy;
    BackendCourse course;
    for (int i = 0; i < 5; ++i) {
        EXPECT_FALSE(course.record_down(policy, start + i * 10s));
    }
    EXPECT_FALSE(course.is_held(start + 50s));
    EXPECT_FALSE(course.next_change(policy, start + 50s));
}

TEST(BackendCourse, FlappingIsHeldTwiceAsLongEachTime) {
    const config::HealthPolicy policy{
        .flap_limit = 2, .flap_window_ms = 60000, .flap_hold_ms = 5000
    };
    BackendCourse course;
    EXPECT_FALSE(course.record_down(policy, start));
    EXPECT_FALSE(course.record_down(policy, start + 1s));
    EXPECT_EQ(course.record_down(policy, start + 2s), 5000ms);
    EXPECT_TRUE(course.is_held(start + 6s));
    EXPECT_EQ(course.next_change(policy, start + 3s), start + 7s);
    EXPECT_FALSE(course.is_held(start + 7s));
    EXPECT_EQ(course.record_down(policy, start + 8s), 10000ms);
    EXPECT_EQ(course.record_down(policy, start + 20s), 20000ms);
    Time now = start + 30s;
    for (int i = 0; i < 20; ++i, now += 1s) {
        EXPECT_LE(
            *course.record_down(policy, now), std::chrono::milliseconds(config::max_flap_hold_ms)
        );
    }
    EXPECT_FALSE(course.record_down(policy, now + 2min)); // a quiet window: all is forgotten
    EXPECT_FALSE(course.record_down(policy, now + 2min + 1s));
    EXPECT_EQ(course.record_down(policy, now + 2min + 2s), 5000ms);
}

TEST(BackendCourse, NoLimitNeverHolds) {
    const config::HealthPolicy policy{.flap_limit = 0};
    BackendCourse course;
    for (int i = 0; i < 1000; ++i) {
        EXPECT_FALSE(course.record_down(policy, start + i * 1ms));
    }
}

TEST(BackendCourse, AStartIsSlowInSteps) {
    const config::HealthPolicy policy{.slow_start_ms = 40000};
    BackendCourse course;
    EXPECT_EQ(course.weight_percent(policy, start), 100U); // it was always there
    course.start_slowly(start);
    std::vector<unsigned> seen;
    Time now = start;
    seen.push_back(course.weight_percent(policy, now));
    while (const auto next = course.next_change(policy, now)) {
        EXPECT_GT(*next, now);
        now = *next;
        seen.push_back(course.weight_percent(policy, now));
    }
    EXPECT_EQ(seen, (std::vector<unsigned>{10, 25, 50, 75, 100}));
    EXPECT_EQ(now, start + 40s);
    course.record_down(policy, now);
    EXPECT_FALSE(course.next_change(policy, now));
}

TEST(BackendCourse, AHeldBackendStartsWhenItIsReleased) {
    const config::HealthPolicy policy{
        .slow_start_ms = 40000, .flap_limit = 1, .flap_window_ms = 60000, .flap_hold_ms = 5000
    };
    BackendCourse course;
    course.record_down(policy, start);
    course.record_down(policy, start + 1s);
    course.start_slowly(start + 2s);
    EXPECT_EQ(course.next_change(policy, start + 2s), start + 6s);
    EXPECT_EQ(course.weight_percent(policy, start + 6s), 10U);
    EXPECT_EQ(course.weight_percent(policy, start + 16s), 25U);
}

} // namespace
} // namespace penstock
