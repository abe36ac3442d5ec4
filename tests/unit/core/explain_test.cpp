// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/explain.hpp"

#include "tests/unit/core/worker_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace penstock {
namespace {

using test::backend;
using test::Bytes;
using test::desired;
using test::PacketBuilder;
using test::service;
using test::WorkerRig;

class Explain : public testing::Test {
protected:
    Explanation explain(const Bytes& frame) {
        const std::array<WorkerTables, 1> tables{
            WorkerTables{.flows = &rig.flows(), .fragments = &rig.worker.fragments}
        };
        return explainer.explain(
            {.snapshot = rig.snapshot.get(),
             .workers = tables,
             .next_hops = rig.next_hops,
             .path_mtus = &rig.worker.path_mtus,
             .ports = rig.ports,
             .now = rig.now},
            frame,
            {0}
        );
    }

    /// Explains, then sends, and holds the two equal.
    Verdict send_as_explained(const Bytes& frame) {
        const std::size_t flows = rig.flows().size();
        const Explanation said = explain(frame);
        EXPECT_EQ(rig.flows().size(), flows) << "explaining makes no flow";
        const Verdict verdict = rig.send(frame);
        EXPECT_EQ(said.verdict.kind, verdict.kind);
        EXPECT_EQ(said.verdict.backend, verdict.backend);
        EXPECT_EQ(said.verdict.service, verdict.service);
        if (verdict.kind == VerdictKind::drop) {
            EXPECT_EQ(said.verdict.reason, verdict.reason);
            EXPECT_TRUE(said.sent.empty());
        } else if (verdict.kind != VerdictKind::kernel) {
            EXPECT_EQ(said.sent, rig.sent.front());
        }
        return verdict;
    }

    WorkerRig rig;
    Explainer explainer;
    ServiceSpec web = service("198.51.100.10", {backend("10.0.1.1"), backend("10.0.1.2")});
};

TEST_F(Explain, SaysWhatANewFlowGets) {
    rig.use(desired({web}));
    const Explanation said = explain(PacketBuilder::tcp().flags(TcpHeader::syn).build());
    EXPECT_EQ(said.verdict.kind, VerdictKind::forward);
    ASSERT_TRUE(said.hash);
    EXPECT_EQ(said.slot_count, web.maglev_size);
    EXPECT_EQ(said.slot_backend, said.verdict.backend);
    EXPECT_TRUE(said.sightings.empty());
    EXPECT_EQ(NextHopTable::unpack(said.next_hop), WorkerRig::hop_of(said.verdict.backend));
    EXPECT_EQ(rig.flows().size(), 0U);
}

TEST_F(Explain, SeesTheEntryOfAFlowAndItsAge) {
    rig.use(desired({web}));
    const Bytes frame = PacketBuilder::tcp().build();
    const BackendId first = rig.send(frame).backend;
    // The pool changes so that the hash would choose another one.
    web.backends[first == rig.id_of(web, 0) ? 0 : 1].admin = AdminState::drain;
    rig.use(desired({web}));
    rig.pass_seconds(10);
    const Explanation said = explain(frame);
    ASSERT_EQ(said.sightings.size(), 1U);
    EXPECT_EQ(said.sightings[0].entry.backend, first);
    EXPECT_EQ(rig.now.since(said.sightings[0].entry.last_seen), 5U);
    EXPECT_EQ(said.verdict.backend, first);
    EXPECT_NE(said.slot_backend, first);
    const Explanation opening = explain(PacketBuilder::tcp().flags(TcpHeader::syn).build());
    EXPECT_EQ(opening.verdict.backend, opening.slot_backend) << "a SYN does not hold a drain";
}

TEST_F(Explain, TakesTheNewestOfTwoWorkersEntries) {
    rig.use(desired({web}));
    WorkerRig other;
    other.use(desired({web}));
    const Bytes frame = PacketBuilder::tcp().build();
    (void)rig.send(frame);
    other.now = rig.now;
    other.pass_seconds(20);
    (void)other.send(frame);
    const std::array<WorkerTables, 2> tables{
        WorkerTables{.flows = &rig.flows(), .fragments = &rig.worker.fragments},
        WorkerTables{.flows = &other.flows(), .fragments = &other.worker.fragments},
    };
    const Explanation said = explainer.explain(
        {.snapshot = rig.snapshot.get(),
         .workers = tables,
         .next_hops = rig.next_hops,
         .path_mtus = &rig.worker.path_mtus,
         .ports = rig.ports,
         .now = other.now},
        frame,
        {0}
    );
    ASSERT_EQ(said.sightings.size(), 2U);
    EXPECT_EQ(said.sightings[0].worker, 1U);
    EXPECT_EQ(said.sightings[1].worker, 0U);
}

TEST_F(Explain, NamesEveryKindOfRefusal) {
    Verdict verdict = explain(PacketBuilder::tcp().build()).verdict;
    EXPECT_EQ(verdict.kind, VerdictKind::drop);
    EXPECT_EQ(verdict.reason, DropReason::no_snapshot);
    const ServiceSpec empty = service("198.51.100.11", {});
    rig.use(desired({web, empty}));
    EXPECT_EQ(
        send_as_explained(PacketBuilder::tcp().to("198.51.100.11").build()).reason,
        DropReason::no_backend
    );
    EXPECT_EQ(
        send_as_explained(PacketBuilder::tcp().to("198.51.100.10", 81).build()).reason,
        DropReason::no_service
    );
    EXPECT_EQ(send_as_explained(Bytes(13)).reason, DropReason::truncated_ethernet);
    EXPECT_EQ(
        send_as_explained(PacketBuilder::tcp().to("203.0.113.1").build()).kind, VerdictKind::kernel
    );
    EXPECT_EQ(send_as_explained(PacketBuilder::icmp().build()).kind, VerdictKind::reply);
    EXPECT_EQ(
        send_as_explained(test::arp_frame(1, "192.0.2.1", "198.51.100.10")).kind, VerdictKind::reply
    );
}

// Random flows against a pool that changes: what was said is what is done, every time.
TEST_F(Explain, IsTheForwardingsAnswerAlways) {
    std::mt19937 random(7);
    for (int host = 3; host <= 9; ++host) {
        web.backends.push_back(backend("10.0.1." + std::to_string(host)));
    }
    constexpr std::array flags{TcpHeader::syn, TcpHeader::ack, TcpHeader::rst, TcpHeader::fin};
    for (int change = 0; change < 20; ++change) {
        BackendSpec& one = web.backends[random() % web.backends.size()];
        one.admin = static_cast<AdminState>(random() % 3);
        one.health = random() % 4 == 0 ? Health::down : Health::up;
        rig.use(desired({web}));
        for (int packet = 0; packet < 500; ++packet) {
            const auto port = static_cast<std::uint16_t>(1024 + random() % 700);
            send_as_explained(PacketBuilder::tcp()
                                  .from("192.0.2.1", port)
                                  .flags(flags[random() % flags.size()])
                                  .payload(random() % 2000)
                                  .build());
        }
        rig.pass_seconds(static_cast<unsigned>(random() % 40));
        rig.expire();
    }
}

} // namespace
} // namespace penstock
