// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/probe_state.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using std::chrono::seconds;

const WallTime noon = WallTime(std::chrono::hours(24) * 20000 + std::chrono::hours(12));
const ProbeResult good{.outcome = ProbeOutcome::good, .detail = "http 200"};
const ProbeResult bad{.outcome = ProbeOutcome::bad, .detail = "http 503"};
const ProbeResult neither{.outcome = ProbeOutcome::inconclusive, .detail = "this host: no files"};

TEST(ProbeState, FirstGoodResultBringsUp) {
    ProbeState state(3, 2);
    const auto transition = state.record(good, noon);
    ASSERT_TRUE(transition);
    EXPECT_EQ(transition->from, Health::unknown);
    EXPECT_EQ(transition->to, Health::up);
    EXPECT_EQ(transition->reason, "http 200, first probe");
    EXPECT_EQ(state.since(), noon);
}

TEST(ProbeState, FirstBadResultTakesDown) {
    ProbeState state(3, 2);
    const auto transition = state.record(bad, noon);
    ASSERT_TRUE(transition);
    EXPECT_EQ(transition->to, Health::down);
}

TEST(ProbeState, FallsAfterFallBadResultsInARow) {
    ProbeState state(3, 2);
    state.record(good, noon);
    EXPECT_FALSE(state.record(bad, noon + seconds(2)));
    EXPECT_FALSE(state.record(bad, noon + seconds(4)));
    EXPECT_EQ(state.health(), Health::up);
    EXPECT_EQ(state.reason(), "http 200, first probe; now http 503, 2 of 3");
    const auto transition = state.record(bad, noon + seconds(6));
    ASSERT_TRUE(transition);
    EXPECT_EQ(transition->to, Health::down);
    EXPECT_EQ(transition->reason, "http 503, 3 of 3; last ok 12:00:00");
    EXPECT_EQ(state.since(), noon + seconds(6));
}

TEST(ProbeState, AGoodResultInBetweenStartsTheCountAgain) {
    ProbeState state(3, 2);
    state.record(good, noon);
    for (int round = 0; round < 10; ++round) {
        EXPECT_FALSE(state.record(bad, noon));
        EXPECT_FALSE(state.record(bad, noon));
        EXPECT_FALSE(state.record(good, noon));
    }
    EXPECT_EQ(state.health(), Health::up);
}

TEST(ProbeState, RisesAfterRiseGoodResultsInARow) {
    ProbeState state(3, 2);
    state.record(bad, noon);
    EXPECT_FALSE(state.record(good, noon));
    EXPECT_FALSE(state.record(bad, noon));
    EXPECT_FALSE(state.record(good, noon));
    const auto transition = state.record(good, noon);
    ASSERT_TRUE(transition);
    EXPECT_EQ(transition->reason, "http 200, 2 of 2");
}

TEST(ProbeState, ResultsAboutOurselvesCountAsNothing) {
    ProbeState state(1, 1);
    EXPECT_FALSE(state.record(neither, noon));
    EXPECT_EQ(state.health(), Health::unknown);
    state.record(good, noon);
    for (int i = 0; i < 100; ++i) {
        EXPECT_FALSE(state.record(neither, noon));
    }
    EXPECT_EQ(state.health(), Health::up);
    EXPECT_EQ(state.reason(), "http 200, first probe; last probe not made: this host: no files");
}

TEST(ProbeState, AdoptsOnlyBeforeAnythingElseDecided) {
    ProbeState state(3, 2);
    EXPECT_TRUE(state.adopt(Health::up, noon));
    EXPECT_FALSE(state.adopt(Health::down, noon));
    EXPECT_EQ(state.health(), Health::up);
    ProbeState probed(3, 2);
    probed.record(bad, noon);
    EXPECT_FALSE(probed.adopt(Health::up, noon));
    EXPECT_EQ(probed.health(), Health::down);
}

TEST(ProbeState, AdoptedHealthFallsLikeAnyOther) {
    ProbeState state(3, 2);
    state.adopt(Health::up, noon);
    EXPECT_FALSE(state.record(bad, noon));
    EXPECT_FALSE(state.record(bad, noon));
    const auto transition = state.record(bad, noon);
    ASSERT_TRUE(transition);
    EXPECT_EQ(transition->reason, "http 503, 3 of 3; never ok since start");
}

TEST(ProbeState, LowerThresholdCountsWhatWasSeen) {
    ProbeState state(5, 2);
    state.record(good, noon);
    state.record(bad, noon);
    state.record(bad, noon);
    state.set_thresholds(2, 2);
    EXPECT_EQ(state.health(), Health::up) << "a reload alone must not flip anything";
    EXPECT_TRUE(state.record(bad, noon));
}

TEST(ProbeState, LastGoodOfAnotherDayShowsItsDate) {
    ProbeState state(1, 1);
    state.record(good, noon - std::chrono::hours(24));
    const auto transition = state.record(bad, noon);
    ASSERT_TRUE(transition);
    EXPECT_EQ(transition->reason, "http 503, 1 of 1; last ok 2024-10-03 12:00:00");
}

} // namespace
} // namespace penstock
