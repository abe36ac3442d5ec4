// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/line_memory.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace penstock {
namespace {

constexpr auto any_backend = [](BackendId) { return true; };

FlowHash hash_of(std::uint32_t digest, std::uint32_t bucket) {
    return {(std::uint64_t{digest} << 32U) | bucket};
}

TEST(FlowTable, SizesForSixtyPercent) {
    for (const std::size_t flows : {0U, 1U, 9U, 10U, 1000U, 1000000U, 5000000U}) {
        const std::size_t slots = FlowTable::bytes_for(flows) / sizeof(FlowTable::Slot);
        EXPECT_GE(slots * 6, flows * 10) << flows;
        EXPECT_GE(slots, 2 * FlowTable::ways);
        EXPECT_EQ(slots & (slots - 1), 0U) << "no power of two";
        if (slots > 2 * FlowTable::ways) {
            EXPECT_LT(slots / 2 * 6, flows * 10) << flows << ": twice as large as needed";
        }
    }
    EXPECT_EQ(FlowTable::bytes_for(SIZE_MAX / 16), FlowTable::max_buckets * 64);
}

TEST(FlowTable, FindsWhatWasInserted) {
    LineMemory memory(FlowTable::bytes_for(100));
    FlowTable table(memory.span());
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(table.find({42}, any_backend), nullptr);
    FlowTable::Slot* const slot = table.insert({42}, {7}, FlowState::udp, {5});
    ASSERT_NE(slot, nullptr);
    EXPECT_EQ(table.size(), 1U);
    EXPECT_EQ(table.find({42}, any_backend), slot);
    const FlowEntry entry = FlowTable::read(*slot);
    EXPECT_EQ(entry.backend, BackendId{7});
    EXPECT_EQ(entry.state, FlowState::udp);
    EXPECT_EQ(entry.last_seen.ticks, 5);
    EXPECT_FALSE(entry.in_alternate);
    table.erase(*slot);
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(table.find({42}, any_backend), nullptr);
}

// Digest 0 in bucket 0 is an ordinary flow, and an empty way never looks like it.
TEST(FlowTable, ZeroHashIsNoEmptyWay) {
    LineMemory memory(FlowTable::bytes_for(100));
    FlowTable table(memory.span());
    EXPECT_EQ(table.find({0}, any_backend), nullptr);
    ASSERT_NE(table.insert({0}, {1}, FlowState::tcp_syn, {0}), nullptr);
    EXPECT_NE(table.find({0}, any_backend), nullptr);
}

TEST(FlowTable, AcceptTellsCollidingDigestsApart) {
    LineMemory memory(FlowTable::bytes_for(100));
    FlowTable table(memory.span());
    const FlowHash hash = hash_of(99, 1);
    table.insert(hash, {1}, FlowState::udp, {0});
    table.insert(hash, {2}, FlowState::udp, {0});
    const auto only = [](std::uint16_t wanted) {
        return [wanted](BackendId id) { return id.value == wanted; };
    };
    for (const std::uint16_t id : {std::uint16_t{1}, std::uint16_t{2}}) {
        FlowTable::Slot* const slot = table.find(hash, only(id));
        ASSERT_NE(slot, nullptr);
        EXPECT_EQ(FlowTable::read(*slot).backend.value, id);
    }
    EXPECT_EQ(table.find(hash, only(3)), nullptr);
}

TEST(FlowTable, UpdateKeepsPlaceAndDigest) {
    LineMemory memory(FlowTable::bytes_for(100));
    FlowTable table(memory.span());
    FlowTable::Slot* const slot = table.insert(hash_of(77, 3), {1}, FlowState::tcp_syn, {0});
    FlowTable::update(*slot, {16383}, FlowState::tcp_closing, {CoarseTime::mask});
    const FlowEntry entry = FlowTable::read(*slot);
    EXPECT_EQ(entry.digest, 77U);
    EXPECT_EQ(entry.backend.value, 16383);
    EXPECT_EQ(entry.state, FlowState::tcp_closing);
    EXPECT_EQ(entry.last_seen.ticks, CoarseTime::mask);
    EXPECT_EQ(table.find(hash_of(77, 3), any_backend), slot);
}

// All flows of one bucket: 8 in it, 8 in each alternate, then entries move on, then it is full.
TEST(FlowTable, FillsTheAlternateThenMovesThenRefuses) {
    LineMemory memory(FlowTable::bytes_for(1000));
    FlowTable table(memory.span());
    std::map<std::uint32_t, std::uint16_t> placed;
    for (std::uint32_t digest = 1; digest < 2000; ++digest) {
        const auto backend = static_cast<std::uint16_t>(digest);
        if (table.insert(hash_of(digest, 5), {backend}, FlowState::udp, {0}) != nullptr) {
            placed[digest] = backend;
        }
    }
    EXPECT_GT(placed.size(), 64U);
    EXPECT_LT(placed.size(), 1999U);
    EXPECT_EQ(table.size(), placed.size());
    for (const auto& [digest, backend] : placed) {
        const FlowTable::Slot* const slot = table.find(hash_of(digest, 5), any_backend);
        ASSERT_NE(slot, nullptr) << digest;
        EXPECT_EQ(FlowTable::read(*slot).backend.value, backend);
    }
}

// The header's claim. At 60 % load of a table of 4 Mi entries.
TEST(FlowTable, FewerThanOneInAMillionIsUnplacedAtSixtyPercent) {
    std::mt19937_64 random(6);
    std::size_t unplaced = 0;
    std::size_t tried = 0;
    std::size_t in_alternate = 0;
    for (int round = 0; round < 2; ++round) {
        LineMemory memory(FlowTable::bytes_for(2500000));
        FlowTable table(memory.span());
        const std::size_t flows = table.capacity() * 6 / 10;
        for (std::size_t i = 0; i < flows; ++i) {
            const auto* slot = table.insert({random()}, {1}, FlowState::udp, {0});
            unplaced += slot == nullptr ? 1U : 0U;
            in_alternate += slot != nullptr && FlowTable::read(*slot).in_alternate ? 1U : 0U;
        }
        tried += flows;
    }
    RecordProperty("unplaced", std::to_string(unplaced));
    RecordProperty("tried", std::to_string(tried));
    EXPECT_GT(in_alternate, tried / 100) << "the table was not loaded";
    EXPECT_LE(unplaced, tried / 1000000);
}

// Beyond its stated load it refuses some, forgets none.
TEST(FlowTable, OverloadLosesNoEntry) {
    LineMemory memory(FlowTable::bytes_for(20000));
    FlowTable table(memory.span());
    std::mt19937_64 random(7);
    std::vector<std::uint64_t> placed;
    std::size_t refused = 0;
    while (refused < 5000) {
        const FlowHash hash{random()};
        if (table.insert(hash, {1}, FlowState::udp, {0}) != nullptr) {
            placed.push_back(hash.value);
        } else {
            ++refused;
        }
    }
    EXPECT_GT(table.size(), table.capacity() * 9 / 10);
    EXPECT_LE(table.size(), table.capacity());
    EXPECT_EQ(table.size(), placed.size());
    for (const std::uint64_t hash : placed) {
        ASSERT_NE(table.find({hash}, any_backend), nullptr);
    }
}

// find() looks into the primary bucket first: an entry that moved back there behind a reader would
// be missed. Too short a moment to be caught by threads, so the rule itself is tested.
TEST(FlowTable, EntriesMoveFromPrimaryToAlternateOnly) {
    LineMemory memory(FlowTable::bytes_for(500));
    FlowTable table(memory.span());
    std::mt19937_64 random(10);
    std::map<std::uint64_t, bool> in_alternate;
    std::size_t moved = 0;
    for (std::size_t refused = 0; refused < 300;) {
        const FlowHash added{random()};
        const auto* slot = table.insert(added, {1}, FlowState::udp, {0});
        refused += slot == nullptr ? 1U : 0U;
        if (slot != nullptr) {
            in_alternate[added.value] = FlowTable::read(*slot).in_alternate;
        }
        for (auto& [hash, before] : in_alternate) {
            const auto* place = table.find({hash}, any_backend);
            ASSERT_NE(place, nullptr);
            const bool now = FlowTable::read(*place).in_alternate;
            ASSERT_TRUE(now || !before) << "moved back";
            moved += now != before ? 1U : 0U;
            before = now;
        }
    }
    EXPECT_GT(moved, 50U);
}

struct ModelFlow {
    std::uint16_t backend;
    FlowState state;
    std::uint16_t ticks;
};

// Millions of random operations against a std::map: nothing is lost, nothing invented.
TEST(FlowTable, BehavesLikeAMap) {
    LineMemory memory(FlowTable::bytes_for(6000));
    FlowTable table(memory.span());
    std::map<std::uint64_t, ModelFlow> model;
    std::mt19937_64 random(8);
    std::vector<std::uint64_t> universe(9000);
    std::ranges::generate(universe, [&] { return random(); });
    std::uint16_t now = 4000; // wraps on the way
    for (int step = 0; step < 2000000; ++step) {
        const std::uint64_t hash = universe[random() % universe.size()];
        FlowTable::Slot* const slot = table.find({hash}, any_backend);
        const auto known = model.find(hash);
        ASSERT_EQ(slot != nullptr, known != model.end()) << step;
        const auto backend = static_cast<std::uint16_t>(1 + (random() % 16383));
        const auto state = static_cast<FlowState>(1 + (random() % 4));
        if (slot == nullptr) {
            if (table.insert({hash}, {backend}, state, {now}) != nullptr) {
                model[hash] = {backend, state, now};
            }
        } else {
            const FlowEntry entry = FlowTable::read(*slot);
            ASSERT_EQ(entry.backend.value, known->second.backend);
            ASSERT_EQ(entry.state, known->second.state);
            ASSERT_EQ(entry.last_seen.ticks, known->second.ticks);
            if (random() % 3 == 0) {
                table.erase(*slot);
                model.erase(known);
            } else {
                FlowTable::update(*slot, {backend}, state, {now});
                known->second = {backend, state, now};
            }
        }
        if (step % 1000 == 0) {
            now = (now + 1) & CoarseTime::mask;
        }
    }
    EXPECT_EQ(table.size(), model.size());
    EXPECT_GT(model.size(), 3000U);
}

TEST(FlowTable, SweepVisitsEveryEntryOnceARound) {
    LineMemory memory(FlowTable::bytes_for(1000));
    FlowTable table(memory.span());
    std::mt19937_64 random(9);
    std::multiset<std::uint32_t> digests;
    for (int i = 0; i < 1000; ++i) {
        const FlowHash hash{random()};
        if (table.insert(hash, {1}, FlowState::udp, {0}) != nullptr) {
            digests.insert(hash.digest());
        }
    }
    std::multiset<std::uint32_t> seen;
    const auto note = [&](const FlowEntry& entry) {
        seen.insert(entry.digest);
        return false;
    };
    for (std::size_t done = 0; done < table.bucket_count(); done += 3) {
        table.sweep(std::min<std::size_t>(3, table.bucket_count() - done), note);
    }
    EXPECT_EQ(seen, digests);
    // More buckets than there are: one round, not two.
    seen.clear();
    table.sweep(table.bucket_count() * 5, note);
    EXPECT_EQ(seen, digests);
}

TEST(FlowTable, SweepErasesWhatHasExpired) {
    LineMemory memory(FlowTable::bytes_for(1000));
    FlowTable table(memory.span());
    for (std::uint64_t i = 0; i < 600; ++i) {
        const auto state = i % 3 == 0 ? FlowState::tcp_syn : FlowState::udp;
        ASSERT_NE(table.insert({i * 0x9e3779b97f4a7c15ULL}, {1}, state, {0}), nullptr);
    }
    const std::size_t erased = table.sweep(table.bucket_count(), [](const FlowEntry& entry) {
        return entry.state == FlowState::tcp_syn;
    });
    EXPECT_EQ(erased, 200U);
    EXPECT_EQ(table.size(), 400U);
    for (std::uint64_t i = 0; i < 600; ++i) {
        const auto* slot = table.find({i * 0x9e3779b97f4a7c15ULL}, any_backend);
        EXPECT_EQ(slot != nullptr, i % 3 != 0) << i;
    }
}

TEST(CoarseTime, WrapsWithoutAJump) {
    EXPECT_EQ(CoarseTime::from_seconds(0).ticks, 0);
    EXPECT_EQ(CoarseTime::from_seconds(1).ticks, 0);
    EXPECT_EQ(CoarseTime::from_seconds(2).ticks, 1);
    EXPECT_EQ(CoarseTime::from_seconds(8191).ticks, 4095);
    EXPECT_EQ(CoarseTime::from_seconds(8192).ticks, 0);
    for (std::uint64_t start = 0; start < 20000; start += 97) {
        for (const unsigned idle_s : {0U, 2U, 900U, unsigned{max_flow_timeout_s}, 8190U}) {
            const auto then = CoarseTime::from_seconds(start);
            const auto now = CoarseTime::from_seconds(start + idle_s);
            ASSERT_EQ(now.since(then), idle_s / 2) << start << '+' << idle_s;
        }
    }
}

// A flow of the longest timeout is seen to expire before time wraps, with minutes for the sweep.
TEST(CoarseTime, LeavesTimeToSweepTheLongestTimeout) {
    constexpr unsigned wrap_s = (CoarseTime::mask + 1U) * CoarseTime::seconds_per_tick;
    EXPECT_GE(wrap_s - max_flow_timeout_s, 600U);
}

} // namespace
} // namespace penstock
