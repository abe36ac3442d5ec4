// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/probe_timing.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using namespace std::chrono_literals;

TEST(ProbeTiming, FewTargetsAreProbedAtOnce) {
    EXPECT_EQ(first_probe_delay(0, 2000ms), 0us);
    EXPECT_LE(first_probe_delay(99, 2000ms), 10ms);
}

TEST(ProbeTiming, ManyTargetsAreProbedWithinOneInterval) {
    EXPECT_EQ(first_probe_delay(9999, 2000ms), 999900us);
    EXPECT_EQ(first_probe_delay(1000000, 2000ms), 2000ms);
}

TEST(ProbeTiming, SecondProbeIsAnywhereInOneInterval) {
    EXPECT_EQ(second_probe_delay(2000ms, 0.0), 0us);
    EXPECT_EQ(second_probe_delay(2000ms, 0.5), 1000ms);
}

TEST(ProbeTiming, JitterGoesBothWays) {
    EXPECT_EQ(next_probe_delay(2000ms, 10, 0.0), 1800ms);
    EXPECT_EQ(next_probe_delay(2000ms, 10, 0.5), 2000ms);
    EXPECT_NEAR(static_cast<double>(next_probe_delay(2000ms, 10, 0.999999).count()), 2.2e6, 10);
    EXPECT_EQ(next_probe_delay(2000ms, 0, 0.9), 2000ms);
}

} // namespace
} // namespace penstock
