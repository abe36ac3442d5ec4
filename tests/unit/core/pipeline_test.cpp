// SPDX-License-Identifier: Apache-2.0
// This file is long because every verdict and every counter of the packet path has its test here.
#include "dataplane/core/pipeline.hpp"

#include "dataplane/core/quoted_packet.hpp"

#include "dataplane/core/parse.hpp"
#include "tests/unit/core/worker_rig.hpp"

#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>

namespace penstock {
namespace {

using test::Bytes;
using test::PacketBuilder;
using test::WorkerRig;

constexpr const char* vip = "198.51.100.10";

Bytes segment(std::uint16_t client_port, std::uint8_t flags, const char* client = "192.0.2.1") {
    return PacketBuilder::tcp().from(client, client_port).to(vip, 80).flags(flags).build();
}

Bytes syn(std::uint16_t client_port) {
    return segment(client_port, TcpHeader::syn);
}

Bytes ack(std::uint16_t client_port) {
    return segment(client_port, TcpHeader::ack);
}

Bytes fin(std::uint16_t client_port) {
    return segment(client_port, TcpHeader::fin | TcpHeader::ack);
}

class PipelineTest : public testing::Test {
protected:
    void SetUp() override {
        pool = test::service(
            vip, {test::backend("10.0.1.1"), test::backend("10.0.1.2"), test::backend("10.0.1.3")}
        );
        rig.use(test::desired({pool}));
    }

    void reload() { rig.use(test::desired({pool}, ++generation)); }

    BackendSpec& spec_of(BackendId id) {
        for (std::size_t i = 0; i < pool.backends.size(); ++i) {
            if (rig.id_of(pool, i) == id) {
                return pool.backends[i];
            }
        }
        std::abort();
    }

    // The gauges say what stands in the table.
    void expect_exact_gauges() {
        const auto counts = rig.count_flows();
        for (std::size_t id = 0; id < max_backends; ++id) {
            ASSERT_EQ(rig.backends[id].flows.read(), counts[id]) << "backend " << id;
        }
        EXPECT_EQ(rig.counters->flows.read(), rig.flows().size());
    }

    void expect_drop(const Bytes& frame, DropReason reason) {
        const std::uint64_t before = rig.drops(reason);
        const Verdict verdict = rig.send(frame);
        EXPECT_EQ(verdict.kind, VerdictKind::drop);
        EXPECT_EQ(verdict.reason, reason) << drop_reason_name(verdict.reason);
        EXPECT_EQ(rig.drops(reason), before + 1);
        EXPECT_EQ(rig.sent.front(), frame);
    }

    WorkerRig rig;
    ServiceSpec pool;
    std::uint64_t generation = 1;
};

TEST_F(PipelineTest, SynIsForwardedAndRemembered) {
    const Verdict first = rig.send(syn(1000));
    ASSERT_EQ(first.kind, VerdictKind::forward);
    EXPECT_EQ(first.service, rig.ids.service(pool.key));
    EXPECT_NE(first.backend, null_backend);
    EXPECT_EQ(rig.counters->flow_misses.read(), 1U);
    EXPECT_EQ(rig.counters->flows_inserted.read(), 1U);
    EXPECT_EQ(rig.sent.front().size(), syn(1000).size() + 20);
    const auto next_hop = WorkerRig::hop_of(first.backend).mac;
    EXPECT_TRUE(std::equal(next_hop.bytes.begin(), next_hop.bytes.end(), rig.sent.front().begin()));

    EXPECT_EQ(rig.send(ack(1000)).backend, first.backend);
    EXPECT_EQ(rig.counters->flow_hits.read(), 1U);
    EXPECT_EQ(rig.counters->flow_misses.read(), 1U);
    const auto& backend = rig.backends[first.backend.value];
    EXPECT_EQ(backend.packets.read(), 2U);
    EXPECT_EQ(backend.bytes.read(), 2 * syn(1000).size()); // as received
    EXPECT_EQ(backend.new_flows.read(), 1U);
    EXPECT_EQ(rig.services[first.service.value].packets.read(), 2U);
    EXPECT_EQ(rig.services[first.service.value].new_flows.read(), 1U);
    expect_exact_gauges();
}

TEST_F(PipelineTest, TwoPacketsOfANewFlowInOneBurstMakeOneEntry) {
    const std::array<Bytes, 3> burst{syn(1), syn(1), ack(1)};
    const auto verdicts = rig.send_burst(burst);
    EXPECT_EQ(verdicts[0].backend, verdicts[1].backend);
    EXPECT_EQ(verdicts[0].backend, verdicts[2].backend);
    EXPECT_EQ(rig.flows().size(), 1U);
    EXPECT_EQ(rig.counters->flow_hits.read(), 2U);
}

// What the whole is for: the pool changes, connections stay.
TEST_F(PipelineTest, FlowsStayWhenThePoolGrows) {
    std::map<std::uint16_t, BackendId> before;
    for (std::uint16_t port = 1; port <= 500; ++port) {
        before[port] = rig.send(syn(port)).backend;
    }
    for (int i = 4; i < 20; ++i) {
        pool.backends.push_back(test::backend("10.0.1." + std::to_string(i)));
    }
    reload();
    std::size_t elsewhere = 0;
    for (const auto& [port, backend] : before) {
        EXPECT_EQ(rig.send(ack(port)).backend, backend) << port;
        const auto hashed = rig.send(ack(static_cast<std::uint16_t>(port + 10000))).backend;
        elsewhere += rig.ids.backends().size() > 3 && hashed.value > 3 ? 1U : 0U;
    }
    EXPECT_GT(elsewhere, 300U) << "new flows go to the new backends";
    expect_exact_gauges();
}

TEST_F(PipelineTest, DrainKeepsFlowsAndTakesNoNewOnes) {
    const BackendId drained = rig.send(syn(1)).backend;
    rig.send(ack(1));
    spec_of(drained).admin = AdminState::drain;
    reload();
    EXPECT_EQ(rig.send(ack(1)).backend, drained);
    EXPECT_EQ(rig.send(fin(1)).backend, drained);
    for (std::uint16_t port = 2; port < 300; ++port) {
        EXPECT_NE(rig.send(syn(port)).backend, drained);
    }
    // The port is used again: a SYN on the old entry is a new flow.
    const Verdict again = rig.send(syn(1));
    EXPECT_EQ(again.kind, VerdictKind::forward);
    EXPECT_NE(again.backend, drained);
    EXPECT_EQ(rig.send(ack(1)).backend, again.backend);
    EXPECT_EQ(rig.backends[drained.value].flows.read(), 0U) << "the drain can end";
    expect_exact_gauges();
}

TEST_F(PipelineTest, DisabledAndDownLoseTheirFlowsAtOnce) {
    for (const bool down : {false, true}) {
        const auto port = static_cast<std::uint16_t>(down ? 2 : 1);
        const BackendId lost = rig.send(syn(port)).backend;
        BackendSpec& spec = spec_of(lost);
        spec.admin = down ? AdminState::ready : AdminState::disabled;
        spec.health = down ? Health::down : Health::up;
        reload();
        const Verdict moved = rig.send(ack(port));
        EXPECT_EQ(moved.kind, VerdictKind::forward);
        EXPECT_NE(moved.backend, lost);
        EXPECT_EQ(rig.send(ack(port)).backend, moved.backend);
        expect_exact_gauges();
        spec.admin = AdminState::ready;
        spec.health = Health::up;
        reload();
        EXPECT_EQ(rig.send(ack(port)).backend, moved.backend) << "it does not move back";
    }
}

TEST_F(PipelineTest, UnprobedBackendKeepsItsFlowsButTakesNone) {
    const BackendId unknown = rig.send(syn(1)).backend;
    spec_of(unknown).health = Health::unknown;
    reload();
    EXPECT_EQ(rig.send(ack(1)).backend, unknown);
    EXPECT_NE(rig.send(syn(1)).backend, unknown);
}

TEST_F(PipelineTest, RemovedBackendKeepsItsFlowsUntilTheyEnd) {
    const BackendId removed = rig.send(syn(1)).backend;
    std::erase_if(pool.backends, [&](const BackendSpec& spec) {
        return rig.ids.backend(pool.key, spec.key) == removed;
    });
    reload();
    EXPECT_EQ(rig.send(ack(1)).backend, removed);
    EXPECT_NE(rig.send(syn(1)).backend, removed);
    expect_exact_gauges();
}

// It took nothing when it was removed; that must not revive what went elsewhere.
TEST_F(PipelineTest, BackendRemovedWhileDownOrDisabledDoesNotGetItsFlowsBack) {
    for (const bool down : {false, true}) {
        const auto port = static_cast<std::uint16_t>(down ? 2 : 1);
        const BackendId removed = rig.send(syn(port)).backend;
        BackendSpec& spec = spec_of(removed);
        spec.admin = down ? AdminState::ready : AdminState::disabled;
        spec.health = down ? Health::down : Health::up;
        reload();
        std::erase_if(pool.backends, [&](const BackendSpec& one) {
            return rig.ids.backend(pool.key, one.key) == removed;
        });
        reload();
        const Verdict verdict = rig.send(ack(port));
        EXPECT_EQ(verdict.kind, VerdictKind::forward);
        EXPECT_NE(verdict.backend, removed);
    }
}

TEST_F(PipelineTest, SynOnAnEntryKeepsItsBackend) {
    const BackendId backend = rig.send(syn(1)).backend;
    for (int i = 4; i < 40; ++i) {
        pool.backends.push_back(test::backend("10.0.1." + std::to_string(i)));
    }
    reload();
    EXPECT_EQ(rig.send(syn(1)).backend, backend); // a repeated SYN
    rig.send(ack(1));
    EXPECT_EQ(rig.send(syn(1)).backend, backend);
    EXPECT_EQ(rig.counters->flows_inserted.read(), 1U);
}

TEST_F(PipelineTest, SynOnAClosingEntryIsANewFlow) {
    std::size_t moved = 0;
    std::map<std::uint16_t, BackendId> before;
    for (std::uint16_t port = 1; port <= 100; ++port) {
        before[port] = rig.send(syn(port)).backend;
        rig.send(ack(port));
        rig.send(port % 2 == 0 ? fin(port) : segment(port, TcpHeader::rst));
        EXPECT_EQ(rig.send(ack(port)).backend, before[port]) << "the last ACKs find their server";
    }
    for (int i = 4; i < 40; ++i) {
        pool.backends.push_back(test::backend("10.0.1." + std::to_string(i)));
    }
    reload();
    for (const auto& [port, backend] : before) {
        const BackendId now = rig.send(syn(port)).backend;
        moved += now == backend ? 0U : 1U;
        EXPECT_EQ(rig.send(ack(port)).backend, now);
    }
    EXPECT_GT(moved, 80U); // by the new table, mostly to the 36 new ones of 39
    EXPECT_EQ(rig.flows().size(), 100U);
    expect_exact_gauges();
}

TEST_F(PipelineTest, ResetOfAnUnknownFlowMakesNoEntry) {
    EXPECT_EQ(rig.send(segment(1, TcpHeader::rst)).kind, VerdictKind::forward);
    EXPECT_EQ(rig.send(segment(1, TcpHeader::rst | TcpHeader::ack)).kind, VerdictKind::forward);
    EXPECT_EQ(rig.flows().size(), 0U);
    EXPECT_EQ(rig.counters->flow_misses.read(), 2U);
}

TEST_F(PipelineTest, ForgottenFlowHashesToItsBackend) {
    for (std::uint16_t port = 1; port <= 200; ++port) {
        WorkerRig other;
        const BackendId backend = rig.send(syn(port)).backend;
        other.use(test::desired({pool})); // another node, the same pool
        EXPECT_EQ(other.send(ack(port)).backend, backend);
        break;
    }
    std::map<std::uint16_t, BackendId> before;
    for (std::uint16_t port = 1; port <= 200; ++port) {
        before[port] = rig.send(syn(port)).backend;
    }
    rig.pass_seconds(7000);
    rig.expire();
    ASSERT_EQ(rig.flows().size(), 0U);
    for (const auto& [port, backend] : before) {
        EXPECT_EQ(rig.send(ack(port)).backend, backend);
    }
}

struct Lifetime {
    const char* name;
    std::vector<std::uint8_t> flags; // of the TCP packets sent; none: UDP
    unsigned timeout_s;
};

TEST_F(PipelineTest, FlowsExpireAfterTheTimeoutOfTheirState) {
    auto dns = test::service(vip, {test::backend("10.0.1.9", 53)}, 53, Protocol::udp);
    rig.use(test::desired({pool, dns}));
    const FlowTimeouts timeouts;
    for (const Lifetime& one : {
             Lifetime{"syn", {TcpHeader::syn}, timeouts.tcp_syn_s},
             Lifetime{"syn again", {TcpHeader::syn, TcpHeader::syn}, timeouts.tcp_syn_s},
             Lifetime{"ack", {TcpHeader::syn, TcpHeader::ack}, timeouts.tcp_established_s},
             Lifetime{"middle", {TcpHeader::ack}, timeouts.tcp_established_s},
             Lifetime{
                 "fin",
                 {TcpHeader::syn, TcpHeader::ack, TcpHeader::fin, TcpHeader::ack},
                 timeouts.tcp_closing_s
             },
             Lifetime{"rst", {TcpHeader::ack, TcpHeader::rst}, timeouts.tcp_closing_s},
             Lifetime{"udp", {}, timeouts.udp_s},
         }) {
        if (one.flags.empty()) {
            rig.send(PacketBuilder::udp().from("192.0.2.1", 9).to(vip, 53).build());
        }
        for (const std::uint8_t flags : one.flags) {
            rig.send(segment(9, flags));
        }
        ASSERT_EQ(rig.flows().size(), 1U) << one.name;
        rig.pass_seconds(one.timeout_s);
        rig.expire();
        EXPECT_EQ(rig.flows().size(), 1U) << one.name << " was forgotten too early";
        rig.pass_seconds(3 * CoarseTime::seconds_per_tick);
        rig.expire();
        EXPECT_EQ(rig.flows().size(), 0U) << one.name << " was not forgotten";
        expect_exact_gauges();
    }
    EXPECT_EQ(rig.counters->flows_expired.read(), 7U);
}

TEST_F(PipelineTest, TrafficKeepsAFlowAlive) {
    rig.send(syn(1));
    for (int i = 0; i < 50; ++i) {
        rig.send(ack(1));
        rig.pass_seconds(800);
        rig.expire();
        ASSERT_EQ(rig.flows().size(), 1U) << i; // across wraps of coarse time, too
    }
}

TEST_F(PipelineTest, NoBackendIsADropThatCountsForTheService) {
    for (BackendSpec& spec : pool.backends) {
        spec.health = Health::down;
    }
    reload();
    expect_drop(syn(1), DropReason::no_backend);
    pool.backends.clear();
    reload();
    expect_drop(syn(1), DropReason::no_backend);
    EXPECT_EQ(rig.services[rig.ids.service(pool.key).value].dropped_packets.read(), 2U);
    EXPECT_EQ(rig.flows().size(), 0U);
}

TEST_F(PipelineTest, FlowOfALostBackendWaitsForAnother) {
    const BackendId backend = rig.send(syn(1)).backend;
    for (BackendSpec& spec : pool.backends) {
        spec.health = Health::down;
    }
    reload();
    expect_drop(ack(1), DropReason::no_backend);
    EXPECT_EQ(rig.backends[backend.value].flows.read(), 1U);
    for (BackendSpec& spec : pool.backends) {
        spec.health = Health::up;
    }
    reload();
    EXPECT_EQ(rig.send(ack(1)).backend, backend);
    expect_exact_gauges();
}

TEST_F(PipelineTest, UnresolvedNextHopIsADropUntilItIsResolved) {
    const BackendId backend = rig.send(syn(1)).backend;
    rig.next_hops->clear(backend);
    expect_drop(ack(1), DropReason::next_hop_unresolved);
    rig.next_hops->set(backend, {.mac = test::client_mac, .port = {1}});
    const Verdict verdict = rig.send(ack(1));
    EXPECT_EQ(verdict.kind, VerdictKind::forward);
    EXPECT_EQ(verdict.tx_port, PortId{1});
}

TEST_F(PipelineTest, NoHeadroomIsADrop) {
    const Bytes frame = syn(1);
    test::FrameBuffer buffer(frame, 19);
    Verdict verdict;
    process_burst(rig.worker, rig.snapshot.get(), rig.now, {&buffer.packet, 1}, {&verdict, 1});
    EXPECT_EQ(verdict.kind, VerdictKind::drop);
    EXPECT_EQ(verdict.reason, DropReason::no_headroom);
}

TEST_F(PipelineTest, FullTableForwardsByHash) {
    WorkerRig small(1); // two buckets: 16 entries
    small.use(test::desired({pool}));
    std::map<std::uint16_t, BackendId> backends;
    for (std::uint16_t port = 1; port <= 200; ++port) {
        const Verdict verdict = small.send(syn(port));
        ASSERT_EQ(verdict.kind, VerdictKind::forward);
        backends[port] = verdict.backend;
    }
    EXPECT_LE(small.flows().size(), 16U);
    EXPECT_EQ(
        small.counters->flows_unplaced.read() + small.counters->flows_withheld.read() +
            small.flows().size(),
        200U
    );
    for (const auto& [port, backend] : backends) {
        EXPECT_EQ(small.send(ack(port)).backend, backend);
    }
}

TEST_F(PipelineTest, SynInAFloodGoesByHashAndItsAnswerMakesTheEntry) {
    const BackendId established = rig.send(syn(1)).backend;
    const ServiceId service = rig.send(ack(1)).service;
    for (std::uint32_t i = 0; i < FloodGuard::enter_syns; ++i) {
        static_cast<void>(rig.worker.flood->admit_syn(service, rig.now, 1, rig.flows().capacity()));
    }
    const Verdict flooding = rig.send(syn(2));
    EXPECT_EQ(flooding.kind, VerdictKind::forward);
    EXPECT_EQ(rig.counters->flows_withheld.read(), 1U);
    EXPECT_EQ(rig.flows().size(), 1U);
    EXPECT_EQ(rig.send(ack(1)).backend, established);
    EXPECT_EQ(rig.send(ack(2)).backend, flooding.backend);
    EXPECT_EQ(rig.flows().size(), 2U) << "a client that answers is real";
}

TEST_F(PipelineTest, NewFlowsFollowWeights) {
    pool.backends[0].weight = 10;
    pool.backends[1].weight = 1;
    pool.backends[2].weight = 0;
    WorkerRig large(60000);
    large.use(test::desired({pool}));
    for (std::uint16_t port = 1; port <= 44000; ++port) {
        large.send(syn(port));
    }
    const auto flows = [&](std::size_t i) {
        return static_cast<double>(large.backends[large.id_of(pool, i).value].new_flows.read());
    };
    EXPECT_EQ(flows(0) + flows(1), 44000);
    EXPECT_NEAR(flows(1), 4000, 6 * 60.3); // sigma of 44,000 draws at 1/11
    EXPECT_EQ(flows(2), 0);
}

// Another service's entry with the same hash is no hit: a collision cannot cross services.
TEST_F(PipelineTest, EntryOfAnotherServiceIsAMiss) {
    const auto web = pool;
    auto other = test::service("198.51.100.20", {test::backend("10.0.9.9")});
    rig.use(test::desired({web, other}));
    const BackendId foreign = rig.id_of(other, 0);
    const FlowHash hash = rig.snapshot->hasher().hash_ipv4(
        test::ip("192.0.2.1").ipv4(),
        test::ip(vip).ipv4(),
        Be16::from_host(1),
        Be16::from_host(80),
        protocol_tcp
    );
    ASSERT_NE(rig.flows().insert(hash, foreign, FlowState::tcp_established, rig.now), nullptr);
    const Verdict verdict = rig.send(ack(1));
    EXPECT_EQ(verdict.service, rig.ids.service(web.key));
    EXPECT_NE(verdict.backend, foreign);
    EXPECT_EQ(rig.counters->flow_misses.read(), 1U);
}

TEST_F(PipelineTest, WhatIsNotOursIsTheKernels) {
    const std::array<Bytes, 6> frames{
        PacketBuilder::tcp().to("198.51.100.9", 80).build(),
        PacketBuilder::icmp().to("198.51.100.9").build(),
        PacketBuilder::udp().to("198.51.100.9").fragment(0, true).payload(8).build(),
        PacketBuilder::tcp().from("2001:db8::1").to("2001:db8::2").build(),
        test::arp_frame(1, "192.0.2.1", "198.51.100.9"),
        Bytes(60, 0x88),
    };
    for (const Verdict& verdict : rig.send_burst(frames)) {
        EXPECT_EQ(verdict.kind, VerdictKind::kernel);
    }
    EXPECT_TRUE(std::equal(frames.begin(), frames.end(), rig.sent.begin()));
}

TEST_F(PipelineTest, WhatNoServiceOfAVipTakesIsANamedDrop) {
    expect_drop(PacketBuilder::tcp().to(vip, 81).build(), DropReason::no_service);
    expect_drop(PacketBuilder::udp().to(vip, 80).build(), DropReason::no_service);
    expect_drop(PacketBuilder::ip_protocol(47).to(vip).build(), DropReason::no_service);
    expect_drop(PacketBuilder::tcp().to(vip, 81).fragment(0, true).build(), DropReason::no_service);
    expect_drop(
        PacketBuilder::icmp().to(vip).fragment(0, true).payload(8).build(),
        DropReason::unhandled_icmp
    );
    for (unsigned type = 0; type < 256; ++type) {
        if (type != IcmpHeader::echo_request) {
            const auto number = static_cast<std::uint8_t>(type);
            expect_drop(
                PacketBuilder::icmp().to(vip).icmp_type(number).build(),
                is_icmpv4_error(number) ? DropReason::bad_icmp_error : DropReason::unhandled_icmp
            );
        }
    }
    expect_drop(PacketBuilder::icmp().to(vip).icmp_type(8, 1).build(), DropReason::unhandled_icmp);
}

TEST_F(PipelineTest, RepliesAreCounted) {
    const std::array<Bytes, 2> frames{
        test::arp_frame(1, "192.0.2.1", vip), PacketBuilder::icmp().to(vip).build()
    };
    for (const Verdict& verdict : rig.send_burst(frames)) {
        EXPECT_EQ(verdict.kind, VerdictKind::reply);
    }
    EXPECT_EQ(rig.counters->replies.read(), 2U);
}

TEST_F(PipelineTest, WithoutASnapshotEverythingIsDropped) {
    rig.snapshot = nullptr;
    expect_drop(syn(1), DropReason::no_snapshot);
    expect_drop(Bytes(3), DropReason::no_snapshot);
    rig.expire();
}

// Any mixture: each packet has one verdict, each drop one reason, and the counters add up.
TEST_F(PipelineTest, CountersAddUpOverAnyMixture) {
    auto on_link =
        test::service("198.51.100.11", {test::backend("10.0.2.1", 53)}, 53, Protocol::udp);
    on_link.forwarding = Forwarding::l2dsr;
    std::mt19937 random(1);
    std::uint64_t sent = 0;
    std::map<VerdictKind, std::uint64_t> verdicts;
    for (int round = 0; round < 3000; ++round) {
        if (round % 100 == 0) {
            for (BackendSpec& spec : pool.backends) {
                spec.health = random() % 3 == 0 ? Health::down : Health::up;
                spec.admin = random() % 3 == 0 ? AdminState::drain : AdminState::ready;
            }
            rig.use(test::desired({pool, on_link}, ++generation));
        }
        std::vector<Bytes> burst(1 + (random() % max_burst));
        for (Bytes& frame : burst) {
            const auto port = static_cast<std::uint16_t>(random() % 1000);
            switch (random() % 6) {
            case 0:
                frame =
                    PacketBuilder::udp().from("192.0.2.2", port).to("198.51.100.11", 53).build();
                break;
            case 1:
                frame = PacketBuilder::icmp().to(vip).build();
                break;
            case 2:
                frame = PacketBuilder::tcp().to("203.0.113.1").build();
                break;
            default:
                frame = segment(port, static_cast<std::uint8_t>(random() % 32));
                break;
            }
            if (random() % 8 == 0) {
                frame.resize(random() % frame.size());
            }
        }
        sent += burst.size();
        for (const Verdict& verdict : rig.send_burst(burst)) {
            ++verdicts[verdict.kind];
        }
        if (round % 50 == 0) {
            rig.pass_seconds(20);
            rig.expire();
            expect_exact_gauges();
        }
    }
    std::uint64_t drops = 0;
    for (const Counter& counter : rig.counters->drops) {
        drops += counter.read();
    }
    std::uint64_t forwarded = 0;
    for (const ServiceCounters& service : rig.services) {
        forwarded += service.packets.read();
    }
    std::uint64_t to_backends = 0;
    for (const BackendCounters& backend : rig.backends) {
        to_backends += backend.packets.read();
    }
    EXPECT_EQ(drops, verdicts[VerdictKind::drop]);
    EXPECT_EQ(forwarded, verdicts[VerdictKind::forward]);
    EXPECT_EQ(to_backends, forwarded);
    EXPECT_EQ(rig.counters->replies.read(), verdicts[VerdictKind::reply]);
    EXPECT_EQ(
        drops + forwarded + verdicts[VerdictKind::reply] + verdicts[VerdictKind::kernel], sent
    );
    EXPECT_EQ(
        rig.counters->flows_inserted.read() - rig.counters->flows_expired.read(), rig.flows().size()
    );
}

} // namespace
} // namespace penstock
