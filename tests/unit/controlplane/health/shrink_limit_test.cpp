// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/shrink_limit.hpp"

#include <gtest/gtest.h>
#include <string>

namespace penstock {
namespace {

using namespace std::chrono_literals;
using enum Health;

/// Ten backends under a policy; time goes on as the test says.
class ShrinkLimitTest : public testing::Test {
protected:
    ShrinkLimitTest() {
        for (std::uint16_t i = 0; i < 10; ++i) {
            service_.backends.push_back({.weight = 100, .health = up});
            service_.backends.back().key.port = i;
        }
        look(0s);
    }

    void look(std::chrono::seconds at) {
        limit_.look(service_, held_, policy_, ShrinkLimit::Time(at + 1h));
    }

    void set(std::initializer_list<std::size_t> which, Health health) {
        for (const std::size_t i : which) {
            service_.backends[i].health = health;
        }
    }

    /// Numbers of those that are kept: "358".
    [[nodiscard]] std::string kept() const {
        std::string text;
        for (std::size_t i = 0; i < service_.backends.size(); ++i) {
            text += limit_.keeps(service_.backends[i].key) ? std::to_string(i) : "";
        }
        return text;
    }

    ServiceSpec service_;
    std::vector<bool> held_ = std::vector<bool>(10);
    config::HealthPolicy policy_{.shrink_limit = 2};
    ShrinkLimit limit_;
};

TEST_F(ShrinkLimitTest, BeyondTheLimitTheyStayInUseUntilTheWindowHasPassed) {
    set({1, 2, 3, 4, 5}, down);
    look(1s);
    EXPECT_EQ(kept(), "345");
    EXPECT_EQ(limit_.next_change(policy_, ShrinkLimit::Time(1h + 1s)), ShrinkLimit::Time(1h + 61s));
    look(60s);
    EXPECT_EQ(kept(), "345");
    look(61s);
    EXPECT_EQ(kept(), "5");
    look(121s);
    EXPECT_EQ(kept(), "");
    EXPECT_EQ(limit_.next_change(policy_, ShrinkLimit::Time(1h + 121s)), std::nullopt);
}

TEST_F(ShrinkLimitTest, WhoWentDownFirstGoesFirst) {
    set({0, 1}, down);
    look(1s);
    set({9}, down);
    look(2s);
    set({2}, down);
    look(3s);
    EXPECT_EQ(kept(), "29");
    policy_.shrink_limit = 3;
    look(4s);
    EXPECT_EQ(kept(), "2");
}

TEST_F(ShrinkLimitTest, WhoComesBackGivesItsPlaceBack) {
    for (int i = 1; i < 40; i += 2) { // one that flaps does not use the limit up
        set({0}, down);
        look(std::chrono::seconds(i));
        EXPECT_EQ(kept(), "");
        set({0}, up);
        look(std::chrono::seconds(i + 1));
    }
    set({1, 2, 3}, down);
    look(41s);
    EXPECT_EQ(kept(), "3");
    set({1}, up);
    look(42s);
    EXPECT_EQ(kept(), "");
    set({2, 3}, up);
    set({4, 5}, down);
    look(43s);
    EXPECT_EQ(kept(), "");
}

TEST_F(ShrinkLimitTest, WhatTheOperatorTakesNeedsNoPlace) {
    set({1, 2, 3}, down);
    look(1s);
    service_.backends[3].admin = AdminState::disabled;
    service_.backends[4].admin = AdminState::drain;
    service_.backends[5].weight = 0;
    look(2s);
    EXPECT_EQ(kept(), "");
    set({6}, down);
    look(3s);
    EXPECT_EQ(kept(), "6");
    // Ready again, and still down: it was not in use.
    service_.backends[3].admin = AdminState::ready;
    look(4s);
    EXPECT_EQ(kept(), "6");
}

TEST_F(ShrinkLimitTest, AShareIsOfTheReadyOnesAndAtLeastOne) {
    policy_ = {.shrink_percent = 25};
    EXPECT_EQ(shrink_places(policy_, 10), 2U);
    EXPECT_EQ(shrink_places(policy_, 3), 1U);
    EXPECT_EQ(shrink_places(policy_, 0), 1U);
    EXPECT_TRUE(limits_shrinking(policy_));
    EXPECT_FALSE(limits_shrinking({}));
    set({0, 1, 2}, down);
    look(1s);
    EXPECT_EQ(kept(), "2");
}

TEST_F(ShrinkLimitTest, HeldOnesAreDownAndThoseThatWereNeverUpAreNotKept) {
    held_[0] = held_[1] = held_[2] = true;
    look(1s);
    EXPECT_EQ(kept(), "2");
    service_.backends.push_back({.weight = 100, .health = unknown});
    service_.backends.back().key.port = 77;
    held_.push_back(false);
    look(2s);
    service_.backends.back().health = down;
    look(3s);
    EXPECT_FALSE(limit_.keeps(service_.backends.back().key));
}

} // namespace
} // namespace penstock
