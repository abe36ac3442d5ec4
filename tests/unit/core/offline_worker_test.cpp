// SPDX-License-Identifier: Apache-2.0
// What the offline worker does around the packet path: it cuts, holds back, lets time pass.
#include "dataplane/core/offline_worker.hpp"

#include "dataplane/core/compile.hpp"
#include "dataplane/core/line_memory.hpp"
#include "tests/unit/core/desired.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using test::Bytes;
using test::PacketBuilder;

constexpr const char* vip = "198.51.100.10";
constexpr const char* nat_vip = "198.51.100.11";

class OfflineWorkerTest : public testing::Test {
protected:
    void SetUp() override {
        auto dns = test::service(vip, {test::backend("10.0.1.1", 53)}, 53, Protocol::udp);
        auto shop = test::service(nat_vip, {test::backend("10.0.1.2", 53)}, 53, Protocol::udp);
        shop.forwarding = Forwarding::nat;
        auto slow = test::service(vip, {test::backend("10.0.1.3", 54)}, 54, Protocol::udp);
        slow.limits.new_flows_per_s = 1;
        DesiredState state = test::desired({dns, shop, slow});
        state.nat_sources = {test::ip("10.9.0.1")};
        auto compiled = compile_snapshot(state, ids, nullptr);
        ASSERT_TRUE(compiled) << compiled.error().cause;
        snapshot = *compiled;
        for (const Snapshot::Target& target : snapshot->targets()) {
            worker.next_hops().set(target.id, {.mac = {{2, 0, 0, 0, 0, 2}}, .port = {0}});
        }
        worker.pass_time(snapshot.get(), start_ms, decided);
    }

    static Bytes part(std::uint16_t id, std::uint16_t offset, bool more, std::size_t length = 64) {
        auto builder = offset == 0 ? PacketBuilder::udp() : PacketBuilder::ip_protocol(17);
        return builder.to(vip, 53).id(id).fragment(offset, more).payload(length).build();
    }

    static Bytes datagram(const char* to, std::uint16_t from_port, std::uint16_t port = 53) {
        return PacketBuilder::udp().from("192.0.2.1", from_port).to(to, port).payload(8).build();
    }

    // `length` 0: all of the frame is there.
    void send(const Bytes& frame, std::uint32_t length = 0) {
        const OfflineFrame one{
            .id = ++sent,
            .bytes = frame,
            .length = length == 0 ? static_cast<std::uint32_t>(frame.size()) : length,
        };
        worker.send(snapshot.get(), {&one, 1}, decided);
    }

    [[nodiscard]] std::vector<std::uint64_t> ids_decided() const {
        std::vector<std::uint64_t> found;
        for (const OfflineOutcome& outcome : decided) {
            found.push_back(outcome.id);
        }
        return found;
    }

    static constexpr std::uint64_t start_ms = 1'000'000;
    std::vector<PortFacts> ports{{.mac = test::our_mac, .mtu = 1500}};
    LineMemory memory{FlowTable::bytes_for(1000)};
    OfflineWorker worker{memory.span(), ports};
    IdRegistry ids;
    std::shared_ptr<const Snapshot> snapshot;
    OfflineWorker::Outcomes decided;
    std::uint64_t sent = 0;
};

TEST_F(OfflineWorkerTest, AnEarlyFragmentLeavesBehindItsFirstOne) {
    send(part(7, 100, false));
    send(part(7, 50, true));
    EXPECT_TRUE(decided.empty());
    send(part(7, 0, true, 392));
    EXPECT_EQ(ids_decided(), (std::vector<std::uint64_t>{3, 1, 2}));
    for (const OfflineOutcome& outcome : decided) {
        EXPECT_EQ(outcome.verdict.kind, VerdictKind::forward);
        ASSERT_EQ(outcome.sent.size(), 1U);
    }
}

TEST_F(OfflineWorkerTest, AnEarlyFragmentWaitsForSecondsOnly) {
    send(part(7, 100, false));
    worker.pass_time(snapshot.get(), start_ms + 2000, decided);
    EXPECT_TRUE(decided.empty());
    worker.pass_time(snapshot.get(), start_ms + 4000, decided);
    ASSERT_EQ(decided.size(), 1U);
    EXPECT_EQ(decided[0].verdict.reason, DropReason::fragment_without_first);
    EXPECT_TRUE(decided[0].sent.empty());
}

TEST_F(OfflineWorkerTest, NothingWaitsBeyondTheEndOrAWrapOfTheClock) {
    send(part(7, 100, false));
    worker.end_waits(snapshot.get(), decided);
    EXPECT_EQ(ids_decided(), (std::vector<std::uint64_t>{1}));
    send(part(8, 100, false));
    worker.pass_time(snapshot.get(), start_ms + 8'192'000, decided); // the same coarse time
    EXPECT_EQ(ids_decided(), (std::vector<std::uint64_t>{1, 2}));
    EXPECT_EQ(worker.fragments().held_count(), 0U);
}

TEST_F(OfflineWorkerTest, MoreThanABurstOfFragmentsIsReleased) {
    for (std::uint16_t i = 0; i < max_held_packets; ++i) {
        send(part(7, static_cast<std::uint16_t>(10 + (8 * i)), true));
    }
    EXPECT_TRUE(decided.empty());
    send(part(7, 0, true));
    EXPECT_EQ(decided.size(), max_held_packets + 1);
}

TEST_F(OfflineWorkerTest, CutsWhatDoesNotFit) {
    send(PacketBuilder::udp().to(vip, 53).payload(2000).build());
    ASSERT_EQ(decided.size(), 1U);
    ASSERT_EQ(decided[0].sent.size(), 2U);
    EXPECT_EQ(decided[0].sent[0].length, 14U + 20U + 20U + 1456U);
    EXPECT_EQ(decided[0].sent[1].length, 14U + 20U + 20U + 552U);
    EXPECT_EQ(worker.counters().pieces.read(), 1U);
}

TEST_F(OfflineWorkerTest, PiecesOfAFrameWithoutItsEndHaveNoneEither) {
    const Bytes whole = PacketBuilder::udp().to(vip, 53).payload(2000).build();
    const Bytes head(whole.begin(), whole.begin() + 14 + 20 + 1000);
    send(head, static_cast<std::uint32_t>(whole.size()));
    ASSERT_EQ(decided.size(), 1U);
    ASSERT_EQ(decided[0].sent.size(), 2U);
    EXPECT_EQ(decided[0].sent[0].bytes.size(), 14U + 20U + 20U + 1000U);
    EXPECT_EQ(decided[0].sent[1].bytes.size(), 14U + 20U + 20U);
    EXPECT_EQ(decided[0].sent[1].length, 14U + 20U + 20U + 552U);
}

TEST_F(OfflineWorkerTest, FlowsOfNatExpireThoughNoOtherFlowIsThere) {
    send(datagram(nat_vip, 40000));
    ASSERT_EQ(decided.at(0).verdict.kind, VerdictKind::forward);
    EXPECT_EQ(worker.nat().flows.live(), 1U);
    EXPECT_EQ(worker.flows().size(), 0U);
    worker.pass_time(snapshot.get(), start_ms + 130'000, decided);
    EXPECT_EQ(worker.nat().flows.live(), 0U);
}

TEST_F(OfflineWorkerTest, ARateFillsUpAgainAsTimePasses) {
    const auto verdict_of = [&](std::uint16_t port) {
        send(datagram(vip, port, 54));
        return decided.back().verdict;
    };
    EXPECT_EQ(verdict_of(40000).kind, VerdictKind::forward);
    EXPECT_EQ(verdict_of(40001).reason, DropReason::service_flow_rate);
    worker.pass_time(snapshot.get(), start_ms + 1000, decided);
    EXPECT_EQ(verdict_of(40002).kind, VerdictKind::forward);
}

TEST_F(OfflineWorkerTest, ForgettingLeavesNothingBehind) {
    send(part(7, 100, false));
    send(datagram(nat_vip, 40000));
    send(datagram(vip, 40000));
    decided.clear();
    worker.forget();
    EXPECT_EQ(worker.flows().size() + worker.nat().flows.live(), 0U);
    EXPECT_EQ(worker.now_ms(), 0U);
    worker.end_waits(snapshot.get(), decided);
    EXPECT_TRUE(decided.empty());
}

} // namespace
} // namespace penstock
