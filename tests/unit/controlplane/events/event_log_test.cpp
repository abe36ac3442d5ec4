// SPDX-License-Identifier: Apache-2.0
#include "controlplane/events/event_log.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

namespace penstock {
namespace {

TEST(EventLog, NumbersFromOneWithoutHoles) {
    EventLog log(8);
    EXPECT_EQ(log.newest(), 0U);
    EXPECT_TRUE(log.read(0, 10).empty());
    for (int i = 0; i < 3; ++i) {
        log.record({.type = EventType::started, .reason = std::to_string(i)});
    }
    const auto events = log.read(1, 10);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].sequence, 2U);
    EXPECT_EQ(events[0].reason, "1");
    EXPECT_TRUE(log.read(3, 10).empty());
    EXPECT_TRUE(log.read(99, 10).empty());
}

TEST(EventLog, KeepsTheNewest) {
    EventLog log(8);
    for (int i = 1; i <= 20; ++i) {
        log.record({.reason = std::to_string(i)});
    }
    EXPECT_EQ(log.oldest(), 13U);
    EXPECT_EQ(log.newest(), 20U);
    const auto all = log.read(0, 100);
    ASSERT_EQ(all.size(), 8U);
    EXPECT_EQ(all.front().reason, "13");
    const auto some = log.read(14, 2);
    ASSERT_EQ(some.size(), 2U);
    EXPECT_EQ(some.front().reason, "15");
}

TEST(EventLog, EveryTypeHasItsOwnWord) {
    std::vector<std::string_view> words;
    for (int i = 0; i <= static_cast<int>(last_event_type); ++i) {
        words.push_back(to_string(static_cast<EventType>(i)));
    }
    std::ranges::sort(words);
    EXPECT_EQ(std::ranges::adjacent_find(words), words.end());
    EXPECT_EQ(to_string(EventType::health_live), "health-live");
    EXPECT_EQ(to_string(EventType::state_damaged), "state-damaged");
}

} // namespace
} // namespace penstock
