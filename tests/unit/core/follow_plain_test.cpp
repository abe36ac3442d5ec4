// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/follow_plain.hpp"

#include "dataplane/core/flow_entry.hpp"
#include "tests/unit/core/worker_rig.hpp"

#include <gtest/gtest.h>
#include <random>

namespace penstock {
namespace {

using test::backend;
using test::desired;
using test::WorkerRig;

// What the long way makes of it (pipeline.cpp): true if the entry is followed.
bool follow_by_the_long_way(
    const FlowTable& flows, const Snapshot& snapshot, CoarseTime now, Flow& flow
) {
    FlowTable::Slot* const slot = find_entry(flows, snapshot, flow);
    if (slot == nullptr) {
        return false;
    }
    const FlowEntry entry = FlowTable::read(*slot);
    if (!follows_entry(entry, snapshot.backend(entry.backend), flow.parsed)) {
        return false;
    }
    FlowTable::update(*slot, entry.backend, next_state(entry.state, flow.parsed), now);
    flow.backend = entry.backend;
    return true;
}

std::uint64_t word_of(FlowTable& table) {
    std::uint64_t word = 0;
    table.sweep(table.bucket_count(), [&](const FlowEntry& entry) {
        word = (std::uint64_t{entry.digest} << 32U) | (std::uint64_t{entry.backend.value} << 16U) |
               (std::uint64_t{entry.last_seen.ticks} << 4U) |
               (std::uint64_t{static_cast<std::uint8_t>(entry.state)} << 1U) |
               std::uint64_t{entry.in_alternate};
        return false;
    });
    return word;
}

class FollowPlain : public ::testing::Test {
protected:
    FollowPlain() {
        // Of each kind: in use, drained, down, and of another service.
        ServiceSpec web = test::service(
            "198.51.100.10", {backend("10.0.1.1"), backend("10.0.1.2"), backend("10.0.1.3")}
        );
        web.backends[1].admin = AdminState::drain;
        web.backends[2].health = Health::down;
        const ServiceSpec mail = test::service("198.51.100.11", {backend("10.0.2.1", 25)}, 25);
        rig_.use(desired({web, mail}));
        service_ = rig_.snapshot->service(rig_.ids.service(web.key));
        for (std::size_t i = 0; i < 3; ++i) {
            backends_.push_back(rig_.id_of(web, i));
        }
        backends_.push_back(rig_.id_of(mail, 0));
        backends_.push_back({4000}); // of a snapshot that we do not have
    }

    WorkerRig rig_;
    const ServiceEntry* service_ = nullptr;
    std::vector<BackendId> backends_;
    std::mt19937_64 random_{1};
};

TEST_F(FollowPlain, DoesWhatTheLongWayWouldOrNothing) {
    unsigned taken_count = 0;
    for (unsigned round = 0; round < 20'000; ++round) {
        LineMemory memory_short(FlowTable::bytes_for(1));
        LineMemory memory_long(FlowTable::bytes_for(1));
        FlowTable by_short(memory_short.span());
        FlowTable by_long(memory_long.span());
        // A digest of 0 is that of an empty way, too.
        const FlowHash hash{round % 5 == 0 ? random_() & 0xffffffffU : random_()};
        const BackendId named = backends_[random_() % backends_.size()];
        const auto state = static_cast<FlowState>((random_() % 4) + 1);
        const CoarseTime seen{static_cast<std::uint16_t>(100 - (random_() % 2))};
        const bool has_entry = round % 7 != 0;
        for (FlowTable* const table : {&by_short, &by_long}) {
            if (has_entry) {
                table->insert(hash, named, state, seen);
            }
        }
        Flow flow{.hash = hash, .service = service_};
        flow.parsed.kind = PacketKind::ipv4;
        flow.parsed.protocol = protocol_tcp;
        flow.parsed.tcp_flags = static_cast<std::uint8_t>(random_() % 4 == 0 ? random_() : 0x10);
        Flow other = flow;
        const std::uint64_t before = word_of(by_short);
        const bool taken = follow_plainly(by_short, *rig_.snapshot, {100}, flow);
        if (!taken) {
            ASSERT_EQ(word_of(by_short), before);
            ASSERT_EQ(flow.backend, null_backend);
            continue;
        }
        ++taken_count;
        ASSERT_TRUE(follow_by_the_long_way(by_long, *rig_.snapshot, {100}, other));
        ASSERT_EQ(flow.backend, other.backend);
        ASSERT_EQ(word_of(by_short), word_of(by_long));
    }
    EXPECT_GT(taken_count, 1000U);
}

TEST_F(FollowPlain, LeavesAnEntryInItsAlternateBucket) {
    LineMemory memory(FlowTable::bytes_for(64));
    FlowTable table(memory.span());
    // Nine entries of one primary bucket: at least one must stand in its alternate one.
    std::vector<FlowHash> hashes;
    for (std::uint64_t i = 1; i <= FlowTable::ways + 1; ++i) {
        hashes.push_back({i << 32U});
        ASSERT_NE(
            table.insert(hashes.back(), backends_[0], FlowState::tcp_established, {100}), nullptr
        );
    }
    std::size_t left = 0;
    for (const FlowHash hash : hashes) {
        Flow flow{.hash = hash, .service = service_};
        left += follow_plainly(table, *rig_.snapshot, {100}, flow) ? 0 : 1;
        ASSERT_NE(find_entry(table, *rig_.snapshot, flow), nullptr);
    }
    EXPECT_EQ(left, 1U);
}

} // namespace
} // namespace penstock
