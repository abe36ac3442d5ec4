// SPDX-License-Identifier: Apache-2.0
// NAT services through the whole pipeline, both directions; the packets that leave are held against
// those that the builder makes. This file is long because every way of a NAT packet has its test
// here, for both families.
#include "dataplane/core/nat_flow.hpp"

#include "dataplane/core/nat_state.hpp"
#include "tests/unit/core/worker_rig.hpp"

#include <gtest/gtest.h>
#include <set>

namespace penstock {
namespace {

using test::Bytes;
using test::PacketBuilder;
using test::WorkerRig;

constexpr std::uint8_t syn = TcpHeader::syn;
constexpr std::uint8_t ack = TcpHeader::ack;
constexpr std::uint8_t fin = TcpHeader::fin | TcpHeader::ack;
constexpr std::uint8_t rst = TcpHeader::rst;

struct Ends {
    const char* client;
    const char* vip;
    const char* servers[2];
    const char* source;
};

constexpr Ends ends_ipv4{"192.0.2.1", "198.51.100.10", {"10.0.1.1", "10.0.1.2"}, "10.0.9.1"};
constexpr Ends ends_ipv6{"2001:db8:c::1", "2001:db8::10", {"fd00::1:1", "fd00::1:2"}, "fd00::9:1"};

class NatFlowTest : public testing::TestWithParam<bool> {
protected:
    void SetUp() override {
        pool = test::service(
            ends().vip,
            {test::backend(ends().servers[0], 8080), test::backend(ends().servers[1], 8080)}
        );
        pool.forwarding = Forwarding::nat;
        dns = test::service(ends().vip, {test::backend(ends().servers[0], 53)}, 53, Protocol::udp);
        dns.forwarding = Forwarding::nat;
        apply();
    }

    void apply() {
        auto state = test::desired({pool, dns}, ++generation);
        state.nat_sources = {test::ip(ends().source)};
        rig.use(state);
    }

    [[nodiscard]] const Ends& ends() const { return GetParam() ? ends_ipv6 : ends_ipv4; }

    [[nodiscard]] PacketBuilder from_client(std::uint16_t port, std::uint8_t flags) const {
        auto builder = PacketBuilder::tcp();
        return builder.from(ends().client, port).to(ends().vip, 80).flags(flags).checksums();
    }

    // A packet as it stands after the MAC addresses.
    static Bytes without_macs(const Bytes& frame) { return {frame.begin() + 12, frame.end()}; }

    // The source port that a forwarded packet got.
    std::uint16_t source_port() {
        test::FrameBuffer buffer(rig.sent.front());
        return parse_packet(buffer.packet).source_port.host();
    }

    [[nodiscard]] const char* server_of(BackendId id) const {
        return id == rig.id_of(pool, 0) ? ends().servers[0] : ends().servers[1];
    }

    [[nodiscard]] PacketBuilder
    from_server(BackendId id, std::uint16_t nat_port, std::uint8_t flags) const {
        auto builder = PacketBuilder::tcp();
        return builder.from(server_of(id), 8080)
            .to(ends().source, nat_port)
            .flags(flags)
            .checksums();
    }

    struct Opened {
        BackendId backend;
        std::uint16_t port;
    };

    // SYN, SYN-ACK, ACK.
    Opened open(std::uint16_t client_port) {
        const Verdict verdict = rig.send(from_client(client_port, syn).build());
        EXPECT_EQ(verdict.kind, VerdictKind::forward) << drop_reason_name(verdict.reason);
        const Opened opened{.backend = verdict.backend, .port = source_port()};
        rig.send(from_server(opened.backend, opened.port, syn | ack).build());
        rig.send(from_client(client_port, ack).build());
        return opened;
    }

    void expect_drop(const Bytes& frame, DropReason reason) {
        const std::uint64_t before = rig.drops(reason);
        const Verdict verdict = rig.send(frame);
        EXPECT_EQ(verdict.kind, VerdictKind::drop);
        EXPECT_EQ(verdict.reason, reason) << drop_reason_name(verdict.reason);
        EXPECT_EQ(rig.drops(reason), before + 1);
        EXPECT_EQ(rig.sent.front(), frame) << "what is dropped stays as it came";
    }

    NatTable& table() { return rig.worker.nat->flows; }

    WorkerRig rig;
    ServiceSpec pool;
    ServiceSpec dns;
    std::uint64_t generation = 0;
};

INSTANTIATE_TEST_SUITE_P(
    All,
    NatFlowTest,
    testing::Bool(),
    [](const testing::TestParamInfo<bool>& family) {
        return std::string(family.param ? "Ipv6" : "Ipv4");
    }
);

TEST_P(NatFlowTest, BothDirectionsAreRewrittenByteForByte) {
    const Verdict there = rig.send(from_client(40000, syn).payload(13).build());
    ASSERT_EQ(there.kind, VerdictKind::forward);
    const std::uint16_t port = source_port();
    EXPECT_GE(port, first_nat_port);
    auto expected = PacketBuilder::tcp();
    expected.from(ends().source, port).to(server_of(there.backend), 8080).flags(syn);
    EXPECT_EQ(
        without_macs(rig.sent.front()), without_macs(expected.checksums().payload(13).build())
    );
    const auto mac = WorkerRig::hop_of(there.backend).mac.bytes;
    EXPECT_TRUE(std::equal(mac.begin(), mac.end(), rig.sent.front().begin()));

    const Verdict back = rig.send(from_server(there.backend, port, syn | ack).payload(7).build());
    ASSERT_EQ(back.kind, VerdictKind::forward) << drop_reason_name(back.reason);
    EXPECT_EQ(back.backend, there.backend);
    EXPECT_EQ(back.tx_port, PortId{0});
    auto reply = PacketBuilder::tcp();
    reply.from(ends().vip, 80).to(ends().client, 40000).flags(syn | ack);
    EXPECT_EQ(without_macs(rig.sent.front()), without_macs(reply.checksums().payload(7).build()));
    const auto& sent = rig.sent.front();
    EXPECT_TRUE(std::equal(sent.begin(), sent.begin() + 6, test::client_mac.bytes.begin()))
        << "by the way on which the client's packet came";
    EXPECT_TRUE(std::equal(sent.begin() + 6, sent.begin() + 12, test::our_mac.bytes.begin()));
    EXPECT_EQ(rig.counters->nat_replies.read(), 1U);
    EXPECT_EQ(rig.backends[there.backend.value].flows.read(), 1U);
    EXPECT_EQ(rig.flows().size(), 0U) << "the flow table is not used";
}

// IPv4 only: the builder cuts no IPv6.
TEST_P(NatFlowTest, AllFragmentsOfADatagramMayComeInOneBurst) {
    if (GetParam()) {
        return;
    }
    const auto piece = [&](std::uint16_t offset, bool more) {
        auto builder = PacketBuilder::udp();
        return builder.from(ends().client, 5353)
            .to(ends().vip, 53)
            .fragment(offset, more)
            .payload(64)
            .build();
    };
    const std::vector<Bytes> datagram{piece(0, true), piece(9, true), piece(18, false)};
    for (const Verdict& verdict : rig.send_burst(datagram)) {
        EXPECT_EQ(verdict.kind, VerdictKind::forward);
    }
    for (const Bytes& frame : rig.sent) {
        EXPECT_EQ(header_at<Ipv4Header>(frame.data() + 14).source, test::ip(ends().source).ipv4());
    }
}

TEST_P(NatFlowTest, UdpWorksTheSame) {
    auto question = PacketBuilder::udp();
    question.from(ends().client, 5353).to(ends().vip, 53).payload(30).checksums();
    const Verdict there = rig.send(question.build());
    ASSERT_EQ(there.kind, VerdictKind::forward);
    const std::uint16_t port = source_port();
    auto answer = PacketBuilder::udp();
    answer.from(ends().servers[0], 53).to(ends().source, port).payload(300).checksums();
    ASSERT_EQ(rig.send(answer.build()).kind, VerdictKind::forward);
    auto expected = PacketBuilder::udp();
    expected.from(ends().vip, 53).to(ends().client, 5353).payload(300).checksums();
    EXPECT_EQ(without_macs(rig.sent.front()), without_macs(expected.build()));
}

TEST_P(NatFlowTest, AFlowKeepsItsPortAndItsServer) {
    const Opened opened = open(40000);
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(rig.send(from_client(40000, ack).build()).backend, opened.backend);
        EXPECT_EQ(source_port(), opened.port);
    }
    std::set<std::uint16_t> ports{opened.port};
    for (std::uint16_t client_port = 1; client_port <= 200; ++client_port) {
        const Opened other = open(client_port);
        if (other.backend == opened.backend) {
            EXPECT_TRUE(ports.insert(other.port).second) << "two flows, two ports";
        }
    }
    EXPECT_EQ(table().live(), 201U);
}

TEST_P(NatFlowTest, TagsOfTheClientComeBack) {
    const Verdict there = rig.send(from_client(40000, syn).vlan(7).build());
    ASSERT_EQ(there.kind, VerdictKind::forward);
    test::FrameBuffer buffer(rig.sent.front());
    const std::uint16_t port = parse_packet(buffer.packet).source_port.host();
    for (const unsigned tags : {0U, 1U, 2U}) {
        auto answer = from_server(there.backend, port, ack);
        for (unsigned i = 0; i < tags; ++i) {
            answer.vlan(static_cast<std::uint16_t>(100 + i));
        }
        ASSERT_EQ(rig.send(answer.build()).kind, VerdictKind::forward);
        auto expected = PacketBuilder::tcp();
        expected.from(ends().vip, 80).to(ends().client, 40000).flags(ack).vlan(7).checksums();
        EXPECT_EQ(without_macs(rig.sent.front()), without_macs(expected.build())) << tags;
    }
}

TEST_P(NatFlowTest, WhatIsOfNoFlowIsDropped) {
    const Opened opened = open(40000);
    expect_drop(
        from_server(opened.backend, static_cast<std::uint16_t>(opened.port ^ 1U), ack).build(),
        DropReason::nat_no_flow
    );
    auto stranger = PacketBuilder::tcp();
    stranger.from(ends().servers[0], 9999).to(ends().source, opened.port);
    expect_drop(stranger.build(), DropReason::nat_no_flow);
    auto echo = GetParam() ? PacketBuilder::icmpv6_message() : PacketBuilder::icmp();
    expect_drop(echo.from(ends().servers[0]).to(ends().source).build(), DropReason::nat_no_flow);
    expect_drop(from_client(41000, rst).build(), DropReason::nat_no_flow);
}

TEST_P(NatFlowTest, AClosedFlowsPortRests) {
    const Opened opened = open(40000);
    rig.send(from_client(40000, fin).build());
    rig.pass_seconds(100);
    rig.expire();
    EXPECT_EQ(table().live(), 1U) << "half closed is not closed";
    rig.send(from_server(opened.backend, opened.port, fin).build());
    rig.send(from_client(40000, ack).build());
    EXPECT_EQ(table().live(), 1U) << "the last acknowledgement passes";
    rig.pass_seconds(36);
    rig.expire();
    EXPECT_EQ(table().live(), 0U);
    EXPECT_EQ(table().resting(), 1U);
    EXPECT_EQ(rig.backends[opened.backend.value].flows.read(), 0U);
    expect_drop(from_server(opened.backend, opened.port, fin).build(), DropReason::nat_no_flow);
    rig.pass_seconds(30);
    rig.expire();
    EXPECT_EQ(table().resting(), 0U);
    EXPECT_EQ(rig.worker.nat->ports.taken(opened.backend), 0U);
}

TEST_P(NatFlowTest, AResetFromEitherSideCloses) {
    for (const bool by_client : {true, false}) {
        const auto client_port = static_cast<std::uint16_t>(by_client ? 40000 : 40001);
        const Opened opened = open(client_port);
        const Verdict verdict =
            by_client ? rig.send(from_client(client_port, rst).build())
                      : rig.send(from_server(opened.backend, opened.port, rst).build());
        EXPECT_EQ(verdict.kind, VerdictKind::forward);
    }
    rig.pass_seconds(36);
    rig.expire();
    EXPECT_EQ(table().live(), 0U);
}

TEST_P(NatFlowTest, ASynOnAClosingFlowGetsAnotherPort) {
    const Opened first = open(40000);
    rig.send(from_client(40000, rst).build());
    const Opened second = open(40000);
    EXPECT_TRUE(second.port != first.port || second.backend != first.backend);
    EXPECT_EQ(table().live(), 1U);
    EXPECT_EQ(table().resting(), 1U);
    expect_drop(from_server(first.backend, first.port, ack).build(), DropReason::nat_no_flow);
}

TEST_P(NatFlowTest, FlowsOfADownBackendMove) {
    const Opened opened = open(40000);
    const std::size_t which = opened.backend == rig.id_of(pool, 0) ? 0 : 1;
    pool.backends[which].health = Health::down;
    apply();
    const Verdict moved = rig.send(from_client(40000, ack).build());
    ASSERT_EQ(moved.kind, VerdictKind::forward);
    EXPECT_NE(moved.backend, opened.backend);
    EXPECT_EQ(rig.backends[opened.backend.value].flows.read(), 0U);
    EXPECT_EQ(rig.backends[moved.backend.value].flows.read(), 1U);
}

TEST_P(NatFlowTest, DrainKeepsBothDirections) {
    const Opened opened = open(40000);
    const std::size_t which = opened.backend == rig.id_of(pool, 0) ? 0 : 1;
    pool.backends[which].admin = AdminState::drain;
    apply();
    EXPECT_EQ(rig.send(from_client(40000, ack).build()).backend, opened.backend);
    const Bytes answer = from_server(opened.backend, opened.port, ack).build();
    EXPECT_EQ(rig.send(answer).kind, VerdictKind::forward);
    pool.backends.erase(pool.backends.begin() + static_cast<long>(which));
    apply();
    EXPECT_EQ(rig.send(from_client(40000, ack).build()).backend, opened.backend) << "removed";
    EXPECT_EQ(rig.send(answer).kind, VerdictKind::forward);
}

TEST_P(NatFlowTest, ErrorsFromTheServersSideReachTheClient) {
    const Opened opened = open(40000);
    rig.send(from_client(40000, ack).payload(200).build());
    const Bytes quoted(rig.sent.front().begin() + 14, rig.sent.front().begin() + 14 + 120);
    auto error = GetParam() ? PacketBuilder::icmpv6_message() : PacketBuilder::icmp();
    const char* const router = GetParam() ? "fd00::ff" : "10.0.0.254";
    error.icmp_type(GetParam() ? 2 : 3, GetParam() ? 0 : 4)
        .from(router, 0)
        .to(ends().source)
        .payload(quoted);
    const Verdict verdict = rig.send(error.build());
    ASSERT_EQ(verdict.kind, VerdictKind::forward) << drop_reason_name(verdict.reason);
    EXPECT_EQ(verdict.backend, opened.backend);
    const Bytes original = from_client(40000, ack).payload(200).build();
    auto expected = GetParam() ? PacketBuilder::icmpv6_message() : PacketBuilder::icmp();
    expected.icmp_type(GetParam() ? 2 : 3, GetParam() ? 0 : 4)
        .from(ends().vip, 0)
        .to(ends().client)
        .payload(Bytes(original.begin() + 14, original.begin() + 14 + 120));
    EXPECT_EQ(without_macs(rig.sent.front()), without_macs(expected.build()));
}

TEST_P(NatFlowTest, ErrorsFromTheClientsSideReachTheServer) {
    const Opened opened = open(40000);
    const Bytes answer = from_server(opened.backend, opened.port, ack).payload(100).build();
    rig.send(answer);
    const Bytes quoted(rig.sent.front().begin() + 14, rig.sent.front().begin() + 14 + 100);
    auto error = GetParam() ? PacketBuilder::icmpv6_message() : PacketBuilder::icmp();
    error.icmp_type(GetParam() ? 1 : 3, 1)
        .from(GetParam() ? "2001:db8:f::1" : "203.0.113.1", 0)
        .to(ends().vip)
        .payload(quoted);
    const Verdict verdict = rig.send(error.build());
    ASSERT_EQ(verdict.kind, VerdictKind::forward) << drop_reason_name(verdict.reason);
    EXPECT_EQ(verdict.backend, opened.backend);
    auto expected = GetParam() ? PacketBuilder::icmpv6_message() : PacketBuilder::icmp();
    expected.icmp_type(GetParam() ? 1 : 3, 1)
        .from(ends().source, 0)
        .to(server_of(opened.backend))
        .payload(Bytes(answer.begin() + 14, answer.begin() + 14 + 100));
    EXPECT_EQ(without_macs(rig.sent.front()), without_macs(expected.build()));
}

TEST_P(NatFlowTest, AnErrorOfNoFlowIsDropped) {
    auto quoted = PacketBuilder::tcp();
    quoted.from(ends().vip, 80).to(ends().client, 555);
    const Bytes frame = quoted.build();
    auto error = GetParam() ? PacketBuilder::icmpv6_message() : PacketBuilder::icmp();
    error.icmp_type(GetParam() ? 1 : 3, 1)
        .from(ends().client, 0)
        .to(ends().vip)
        .payload(Bytes(frame.begin() + 14, frame.end()));
    expect_drop(error.build(), DropReason::nat_no_flow);
}

TEST_P(NatFlowTest, PortsRunOut) {
    rig.worker.nat->ports = NatPorts(PortShare{.first = 5000, .count = 10});
    for (std::uint16_t client_port = 1; client_port <= 10; ++client_port) {
        auto question = PacketBuilder::udp();
        question.from(ends().client, client_port).to(ends().vip, 53);
        ASSERT_EQ(rig.send(question.build()).kind, VerdictKind::forward) << client_port;
    }
    auto question = PacketBuilder::udp();
    question.from(ends().client, 11).to(ends().vip, 53);
    expect_drop(question.build(), DropReason::nat_ports_exhausted);
    rig.worker.nat->ports.survey(max_backends);
    rig.expire();
    EXPECT_EQ(rig.counters->nat_pool_fullest.read(), 10U);
    EXPECT_EQ(rig.counters->nat_pool_ports.read(), 10U);
    EXPECT_EQ(rig.send(from_client(1, syn).build()).kind, VerdictKind::forward)
        << "other pools go on";
    rig.pass_seconds(200);
    rig.expire();
    EXPECT_EQ(rig.send(question.build()).kind, VerdictKind::forward);
}

TEST_P(NatFlowTest, AFullTableRefusesNewFlowsOnly) {
    std::uint16_t client_port = 1;
    const Opened first = open(client_port);
    while (!table().full()) {
        rig.send(from_client(++client_port, syn).build());
    }
    expect_drop(from_client(++client_port, syn).build(), DropReason::nat_table_full);
    EXPECT_EQ(rig.send(from_client(1, ack).build()).backend, first.backend);
    EXPECT_EQ(
        rig.send(from_server(first.backend, first.port, ack).build()).kind, VerdictKind::forward
    );
}

TEST_P(NatFlowTest, OptionAddressUntilTheServerAnswers) {
    pool.toa = true;
    apply();
    const Verdict there = rig.send(from_client(40000, syn).build());
    const std::uint16_t port = source_port();
    EXPECT_EQ(rig.sent.front().size(), from_client(40000, syn).build().size()) << "not on a SYN";
    rig.send(from_server(there.backend, port, syn | ack).build());

    Bytes option{254, static_cast<std::uint8_t>(GetParam() ? 20 : 8), 0x9c, 0x40};
    const auto client = test::ip(ends().client);
    option.insert(
        option.end(), client.bytes().begin() + (GetParam() ? 0 : 12), client.bytes().end()
    );
    for (const std::size_t payload : {0U, 100U}) {
        Bytes forged{254, 8, 1, 1, 6, 6, 6, 6};
        rig.send(from_client(40000, ack).tcp_options(forged).payload(payload).build());
        Bytes options = option;
        test::append(options, Bytes(8, 1));
        auto expected = PacketBuilder::tcp();
        expected.from(ends().source, port)
            .to(server_of(there.backend), 8080)
            .flags(ack)
            .tcp_options(options)
            .payload(payload);
        EXPECT_EQ(without_macs(rig.sent.front()), without_macs(expected.checksums().build()));
    }
    rig.send(from_server(there.backend, port, ack).build());
    rig.send(from_client(40000, ack).payload(100).build());
    EXPECT_EQ(rig.sent.front().size(), from_client(40000, ack).payload(100).build().size());
}

TEST_P(NatFlowTest, AnotherWorkersReplyIsHandedOver) {
    const Opened opened = open(40000);
    NatState& nat = *rig.worker.nat;
    nat.workers = 4;
    const std::size_t owner = owner_of_port(opened.port, 4);
    nat.worker = (owner + 1) % 4;
    const Bytes reply = from_server(opened.backend, opened.port, ack).build();
    const Verdict verdict = rig.send(reply);
    EXPECT_EQ(verdict.kind, VerdictKind::hand_over);
    EXPECT_EQ(verdict.worker, owner);
    EXPECT_EQ(rig.sent.front(), reply) << "as it came";
    nat.worker = owner;
    EXPECT_EQ(rig.send(reply).kind, VerdictKind::forward);
}

} // namespace
} // namespace penstock
