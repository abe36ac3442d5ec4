// SPDX-License-Identifier: Apache-2.0
#include "controlplane/events/event_file.hpp"

#include "tests/unit/controlplane/temporary_directory.hpp"

#include <fstream>
#include <gtest/gtest.h>

namespace penstock {
namespace {

Event make_event(std::string reason) {
    return {
        .type = EventType::backend_health,
        .severity = EventSeverity::warning,
        .service = "web",
        .backend = "b \"0\"\n",
        .from = "up",
        .to = "down",
        .reason = std::move(reason),
        .actor = Actor{.user = "eva", .uid = 1000, .pid = {}, .from = "socket", .role = Role::view},
        .sequence = 7,
        .time = WallTime(std::chrono::milliseconds(1763800000123)),
    };
}

std::vector<std::string> reasons_of(const EventsBefore& before) {
    std::vector<std::string> reasons;
    for (const Event& event : before.events) {
        reasons.push_back(event.reason);
    }
    return reasons;
}

TEST(EventFile, WhatIsWrittenIsRead) {
    const Event event = make_event("http 503");
    const std::string line = format_event_line(event, "log");
    EXPECT_EQ(line.find('\n'), std::string::npos);
    const auto read = parse_event_line(line);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->log, "log");
    EXPECT_EQ(read->event.sequence, 7U);
    EXPECT_EQ(read->event.type, event.type);
    EXPECT_EQ(read->event.severity, event.severity);
    EXPECT_EQ(read->event.backend, event.backend);
    EXPECT_EQ(read->event.time, event.time);
    EXPECT_EQ(read->event.actor->user, "eva");
    EXPECT_EQ(read->event.reason, "http 503");
    const auto bare = parse_event_line(format_event_line({.reason = {}, .sequence = 1}, "log"));
    ASSERT_TRUE(bare);
    EXPECT_FALSE(bare->event.service || bare->event.from || bare->event.actor);
}

TEST(EventFile, WhatIsNoEventIsLeftOut) {
    for (const std::string_view line :
         {"",
          "{",
          "[]",
          "{}",
          R"({"type":"started","severity":"info"})",
          R"({"type":"of-tomorrow","severity":"info","time_ms":1})",
          R"({"type":"started","severity":"info","time_ms":"1"})"}) {
        EXPECT_FALSE(parse_event_line(line)) << line;
    }
}

TEST(EventFile, TheNewestOfBothFilesComeBackInOrder) {
    const TemporaryDirectory folder;
    const std::string path = folder / "events.log";
    EXPECT_TRUE(load_events(path, 10)->events.empty());
    {
        auto file = AppendedFile::open(path, 500, "the events");
        ASSERT_TRUE(file);
        for (int i = 0; i < 5; ++i) { // two lines have room in a file
            file->append(format_event_line(make_event(std::to_string(i)), "log"));
        }
    }
    std::ofstream(path, std::ios::app) << R"({"type":"sta)"; // a power cut
    const auto all = load_events(path, 10);
    ASSERT_TRUE(all);
    EXPECT_EQ(
        reasons_of(*all), (std::vector<std::string>{"2", "3", "4"})
    ); // two were in a third file
    EXPECT_EQ(all->unreadable, 1U);
    EXPECT_EQ(reasons_of(*load_events(path, 1)), std::vector<std::string>{"4"});
}

TEST(EventFile, NumbersGoOnAfterARestartAndBeginAnewAfterABoot) {
    const TemporaryDirectory folder;
    const std::string path = folder / "events.log";
    std::string name;
    {
        EventLog first;
        ASSERT_TRUE(keep_events(first, path, "11111111"));
        name = first.name();
        EXPECT_EQ(name, "11111111" + read_boot_mark());
        first.record({.reason = "one"});
        first.record({.reason = "two"});
    }
    {
        EventLog second;
        ASSERT_TRUE(keep_events(second, path, "22222222"));
        EXPECT_EQ(second.name(), name);
        EXPECT_EQ(second.newest(), 2U);
        second.record({.reason = "three"});
        const auto seen = second.read(1, 10);
        ASSERT_EQ(seen.size(), 2U);
        EXPECT_EQ(seen[0].reason, "two");
        EXPECT_EQ(seen[1].sequence, 3U);
    }
    std::ofstream(path, std::ios::app)
        << format_event_line({.reason = "four", .sequence = 40}, "33333333ffffffff") << "\n";
    EventLog third;
    ASSERT_TRUE(keep_events(third, path, "44444444"));
    EXPECT_EQ(third.name(), "44444444" + read_boot_mark());
    EXPECT_EQ(third.newest(), 4U);
    EXPECT_EQ(third.read(0, 10).back().reason, "four");
}

TEST(EventFile, NoMoreComesBackThanTheLogKeeps) {
    const TemporaryDirectory folder;
    const std::string path = folder / "events.log";
    {
        EventLog first(100);
        ASSERT_TRUE(keep_events(first, path, "11111111"));
        for (int i = 1; i <= 50; ++i) {
            first.record({.reason = std::to_string(i)});
        }
    }
    EventLog second(8);
    ASSERT_TRUE(keep_events(second, path, "22222222"));
    EXPECT_EQ(second.oldest(), 43U);
    EXPECT_EQ(second.newest(), 50U);
    EXPECT_EQ(second.read(48, 10).front().reason, "49");
}

} // namespace
} // namespace penstock
