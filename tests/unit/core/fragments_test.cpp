// SPDX-License-Identifier: Apache-2.0
// Fragments through the pipeline, and the tracker alone.
#include "dataplane/core/fragments.hpp"

#include "tests/unit/core/worker_rig.hpp"

#include <gtest/gtest.h>
#include <random>

namespace penstock {
namespace {

using test::Bytes;
using test::FrameBuffer;
using test::PacketBuilder;
using test::WorkerRig;

constexpr const char* vip = "198.51.100.10";
constexpr const char* vip6 = "2001:db8::10";

class FragmentsTest : public testing::Test {
protected:
    void SetUp() override {
        std::vector<BackendSpec> pool;
        for (int i = 1; i <= 8; ++i) {
            pool.push_back(test::backend("10.0.1." + std::to_string(i), 53));
        }
        rig.use(test::desired(
            {test::service(vip, pool, 53, Protocol::udp),
             test::service(vip6, pool, 53, Protocol::udp)}
        ));
    }

    static Bytes first(std::uint16_t port, std::uint16_t id) {
        return PacketBuilder::udp()
            .from("192.0.2.1", port)
            .to(vip, 53)
            .id(id)
            .fragment(0, true)
            .payload(16)
            .build();
    }

    static Bytes later(std::uint16_t id, std::uint16_t offset = 3, bool more = false) {
        return PacketBuilder::ip_protocol(17)
            .to(vip)
            .id(id)
            .fragment(offset, more)
            .payload(24)
            .build();
    }

    // The rest of the fragment header: reserved, offset and more, identification.
    static Bytes fragment6(std::uint16_t field, std::uint8_t id) {
        return {
            0, static_cast<std::uint8_t>(field >> 8U), static_cast<std::uint8_t>(field), 0, 0, 0, id
        };
    }

    // What the caller does with held packets.
    std::vector<Verdict> send_again(std::span<const Bytes> held_frames) {
        std::vector<Verdict> verdicts;
        while (const auto slot = rig.worker.fragments.take_ready(rig.now)) {
            FrameBuffer buffer(held_frames[slot->index]);
            buffer.packet.was_held = true;
            Verdict& verdict = verdicts.emplace_back();
            process_burst(
                rig.worker, rig.snapshot.get(), rig.now, {&buffer.packet, 1}, {&verdict, 1}
            );
        }
        return verdicts;
    }

    WorkerRig rig;
};

TEST_F(FragmentsTest, LaterOnesFollowTheFirst) {
    for (std::uint16_t i = 0; i < 500; ++i) {
        const Verdict head = rig.send(first(i, i));
        ASSERT_EQ(head.kind, VerdictKind::forward);
        for (const std::uint16_t offset :
             std::array<std::uint16_t, 3>{3, 6, 3}) { // in any order, overlapping too
            const Verdict tail = rig.send(later(i, offset, offset == 3));
            ASSERT_EQ(tail.kind, VerdictKind::forward);
            ASSERT_EQ(tail.backend, head.backend);
        }
    }
    // The next datagram of the same flow finds the flow's entry.
    const Verdict next = rig.send(first(7, 9000));
    EXPECT_EQ(next.backend, rig.send(first(7, 9001)).backend);
    EXPECT_EQ(rig.flows().size(), 500U);
}

TEST_F(FragmentsTest, LaterOnesOfTheSameBurstNeedNotWait) {
    const std::array<Bytes, 3> burst{first(1, 5), later(5, 3, true), later(5, 6)};
    const std::vector<Verdict> verdicts = rig.send_burst(burst);
    for (const Verdict& verdict : verdicts) {
        EXPECT_EQ(verdict.kind, VerdictKind::forward);
        EXPECT_EQ(verdict.backend, verdicts[0].backend);
    }
}

TEST_F(FragmentsTest, Ipv6OnesToo) {
    const auto head = PacketBuilder::udp()
                          .from("2001:db8::1")
                          .to(vip6, 53)
                          .extension(44, fragment6(1, 7))
                          .payload(8);
    const auto tail = PacketBuilder::ip_protocol(17)
                          .from("2001:db8::1")
                          .to(vip6)
                          .extension(44, fragment6(16, 7))
                          .payload(8);
    const Verdict verdict = rig.send(head.build());
    ASSERT_EQ(verdict.kind, VerdictKind::forward);
    EXPECT_EQ(rig.send(tail.build()).backend, verdict.backend);
    const auto other = PacketBuilder::ip_protocol(17)
                           .from("2001:db8::1")
                           .to(vip6)
                           .extension(44, fragment6(16, 8))
                           .payload(8);
    EXPECT_EQ(rig.send(other.build()).kind, VerdictKind::hold);
}

TEST_F(FragmentsTest, EarlyOnesWaitForTheFirst) {
    std::vector<Bytes> held;
    for (std::uint16_t i = 0; i < 3; ++i) {
        held.push_back(later(5, static_cast<std::uint16_t>(3 * (i + 1)), i < 2));
        const Verdict verdict = rig.send(held.back());
        ASSERT_EQ(verdict.kind, VerdictKind::hold);
        ASSERT_EQ(verdict.held.index, i);
    }
    EXPECT_TRUE(send_again(held).empty()) << "not yet";
    const Verdict head = rig.send(first(1, 5));
    const auto verdicts = send_again(held);
    ASSERT_EQ(verdicts.size(), 3U);
    for (const Verdict& verdict : verdicts) {
        EXPECT_EQ(verdict.kind, VerdictKind::forward);
        EXPECT_EQ(verdict.backend, head.backend);
    }
    EXPECT_EQ(rig.worker.fragments.held_count(), 0U);
}

TEST_F(FragmentsTest, WhoseFirstNeverComesIsDroppedByName) {
    const std::vector<Bytes> held{later(5)};
    ASSERT_EQ(rig.send(held[0]).kind, VerdictKind::hold);
    rig.pass_seconds(2);
    EXPECT_TRUE(send_again(held).empty());
    rig.pass_seconds(2);
    const auto verdicts = send_again(held);
    ASSERT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(verdicts[0].reason, DropReason::fragment_without_first);
}

TEST_F(FragmentsTest, AFloodOfEarlyOnesIsDroppedAndTheHeldOnesAreSafe) {
    std::vector<Bytes> held;
    for (std::uint16_t i = 0; i < 1000; ++i) {
        const Bytes frame = later(i);
        const Verdict verdict = rig.send(frame);
        if (i < FragmentTracker::held_capacity) {
            ASSERT_EQ(verdict.kind, VerdictKind::hold);
            held.push_back(frame);
        } else {
            ASSERT_EQ(verdict.reason, DropReason::fragment_early_full);
        }
    }
    const Verdict head = rig.send(first(1, 5));
    const auto verdicts = send_again(held);
    ASSERT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(verdicts[0].backend, head.backend);
}

TEST_F(FragmentsTest, SiblingsAreAsked) {
    WorkerRig other;
    other.use(test::desired({}, 1));
    const Verdict head = rig.send(first(1, 5));
    const std::array<WorkerTables, 1> tables{
        WorkerTables{.flows = &rig.worker.flows, .fragments = &rig.worker.fragments}
    };
    other.snapshot = rig.snapshot;
    for (const Snapshot::Target& target : other.snapshot->targets()) {
        other.next_hops->set(target.id, WorkerRig::hop_of(target.id));
    }
    other.worker.siblings = tables;
    const Verdict tail = other.send(later(5));
    EXPECT_EQ(tail.kind, VerdictKind::forward);
    EXPECT_EQ(tail.backend, head.backend);
}

TEST_F(FragmentsTest, DatagramsAreForgottenAndTheirBackendsGone) {
    rig.send(first(1, 5));
    rig.pass_seconds(40);
    expire_flows(rig.worker, rig.snapshot.get(), rig.now, 1U << 20U);
    EXPECT_EQ(rig.send(later(5)).kind, VerdictKind::hold);
}

TEST_F(FragmentsTest, FullTrackerLosesNewDatagramsOnly) {
    const LineMemory memory(FlowTable::bytes_for(16));
    FragmentTracker tracker(memory.span());
    std::mt19937_64 random(1);
    std::vector<FlowHash> known;
    for (int i = 0; i < 1000; ++i) {
        const FlowHash datagram{random()};
        tracker.remember(datagram, {7}, {});
        if (tracker.find(datagram) == BackendId{7}) {
            known.push_back(datagram);
        }
    }
    EXPECT_GE(known.size(), 16U);
    EXPECT_LT(known.size(), 1000U);
    for (const FlowHash datagram : known) {
        EXPECT_EQ(tracker.find(datagram), BackendId{7});
    }
}

} // namespace
} // namespace penstock
