// SPDX-License-Identifier: Apache-2.0
// Packets that do not fit: told to the client, or cut.
#include "dataplane/core/cut.hpp"

#include "tests/unit/core/worker_rig.hpp"

#include <gtest/gtest.h>
#include <map>

namespace penstock {
namespace {

using test::Bytes;
using test::PacketBuilder;
using test::WorkerRig;

constexpr const char* vip = "198.51.100.10";
constexpr const char* vip6 = "2001:db8::10";

class SizesTest : public testing::Test {
protected:
    void use(Forwarding forwarding, const char* backend4 = "10.0.1.1") {
        auto four = test::service(vip, {test::backend(backend4)});
        auto six = test::service(vip6, {test::backend("2001:db8:1::1")});
        four.forwarding = forwarding;
        six.forwarding = forwarding;
        auto state = test::desired({four, six}, ++generation);
        state.tunnel_sources.ipv6 = IpPrefix::parse("2001:db8:f::1");
        rig.use(state);
        rig.ports[0].mtu = 1500;
    }

    WorkerRig rig;
    std::uint64_t generation = 0;
};

TEST_F(SizesTest, TheClientIsToldWhatWouldHaveFitted) {
    use(Forwarding::ipip);
    const auto at_limit = PacketBuilder::tcp().to(vip).dont_fragment().payload(1440).build();
    EXPECT_EQ(rig.send(at_limit).kind, VerdictKind::forward);
    EXPECT_EQ(rig.sent[0].size(), 14U + 1500);

    const Bytes big = PacketBuilder::tcp().to(vip).dont_fragment().payload(1441).vlan(3).build();
    ASSERT_EQ(rig.send(big).kind, VerdictKind::reply);
    const Bytes& message = rig.sent[0];
    EXPECT_EQ(message.size(), 18U + 576);
    EXPECT_EQ(Bytes(message.begin() + 12, message.begin() + 18), (Bytes{0x81, 0, 0, 3, 8, 0}));
    const auto ip = read_header<Ipv4Header>(message.data() + 18);
    EXPECT_EQ(IpAddress::from_ipv4(ip.source), test::ip(vip));
    EXPECT_EQ(IpAddress::from_ipv4(ip.destination), test::ip("192.0.2.1"));
    EXPECT_EQ(test::naive_checksum({message.data() + 18, 20}), 0);
    EXPECT_EQ(test::naive_checksum({message.data() + 38, 556}), 0);
    EXPECT_EQ(Bytes(message.begin() + 38, message.begin() + 40), (Bytes{3, 4}));
    EXPECT_EQ(message[44] << 8U | message[45], 1480);
    EXPECT_TRUE(std::equal(message.begin() + 46, message.end(), big.begin() + 18));
}

TEST_F(SizesTest, Ipv6IsAlwaysTold) {
    use(Forwarding::gue);
    const Bytes big = PacketBuilder::udp().from("2001:db8::1").to(vip6, 80).payload(1441).build();
    auto tcp = PacketBuilder::tcp().from("2001:db8::1").to(vip6).payload(1441).build();
    ASSERT_EQ(rig.send(tcp).kind, VerdictKind::reply);
    EXPECT_EQ(rig.sent[0].size(), 14U + 1280);
    const std::uint8_t* const icmp = rig.sent[0].data() + 54;
    EXPECT_EQ(icmp[0], 2);
    EXPECT_EQ(icmp[6] << 8U | icmp[7], 1500 - 52);
    const std::uint64_t pseudo = add_pseudo_header_ipv6(0, rig.sent[0].data() + 22, 1240, 58);
    EXPECT_EQ(fold_checksum(add_to_checksum(pseudo, {icmp, 1240})), 0xffff);
}

TEST_F(SizesTest, MessagesAreLimited) {
    use(Forwarding::ipip);
    const Bytes big = PacketBuilder::tcp().to(vip).dont_fragment().payload(1441).build();
    std::map<VerdictKind, unsigned> verdicts;
    for (int i = 0; i < 3000; ++i) {
        ++verdicts[rig.send(big).kind];
    }
    EXPECT_EQ(verdicts[VerdictKind::reply], ReplyBudget::replies_per_tick);
    EXPECT_EQ(rig.drops(DropReason::too_big), 3000 - ReplyBudget::replies_per_tick);
    rig.pass_seconds(2);
    EXPECT_EQ(rig.send(big).kind, VerdictKind::reply);
}

// RFC 1122 3.2.2: never about an ICMP error, nor about a fragment but the first.
TEST_F(SizesTest, NoErrorAnswersAnErrorOrALaterFragment) {
    use(Forwarding::l2dsr, "10.0.1.1");
    rig.ports[0].mtu = 600;
    auto answered = PacketBuilder::tcp().from(vip, 80).to("192.0.2.1", 9).payload(700).build();
    answered.erase(answered.begin(), answered.begin() + 14);
    auto error = PacketBuilder::icmp().to(vip).dont_fragment().icmp_type(3, 4).payload(answered);
    EXPECT_EQ(rig.send(error.build()).reason, DropReason::too_big);

    const auto part = [](std::uint16_t offset) {
        auto builder = offset == 0 ? PacketBuilder::tcp() : PacketBuilder::ip_protocol(6);
        const unsigned field = offset | Ipv4Header::dont_fragment;
        return builder.to(vip)
            .fragment(static_cast<std::uint16_t>(field), true)
            .payload(640)
            .build();
    };
    EXPECT_EQ(rig.send(part(0)).kind, VerdictKind::reply);
    EXPECT_EQ(rig.send(part(80)).reason, DropReason::too_big);
}

TEST_F(SizesTest, NobodyIsToldWhoMustNotBe) {
    use(Forwarding::ipip);
    for (const char* source : {"0.0.0.0", "224.0.0.1", "255.255.255.255", "127.0.0.1", vip}) {
        const Bytes big =
            PacketBuilder::tcp().from(source).to(vip).dont_fragment().payload(1441).build();
        EXPECT_EQ(rig.send(big).reason, DropReason::bad_reply_target) << source;
    }
}

// The pieces, put together as a receiver does (RFC 791 3.2), are the packet that came.
void expect_whole_again(
    const Bytes& frame, const Bytes& sent, const BackendEntry& backend, std::uint16_t mtu
) {
    // In three segments, at odd places.
    const std::span<const std::uint8_t> all(sent);
    const std::array<std::span<const std::uint8_t>, 3> segments{
        all.first(200), all.subspan(200, 333), all.subspan(533)
    };
    const Cutter cutter(segments, backend, mtu);
    const std::size_t outer = sent.size() - frame.size();
    const auto original = read_header<Ipv4Header>(frame.data() + 14);
    const std::size_t header = (original.version_ihl & 15U) * 4U;
    const unsigned first_offset = (original.fragment.host() & 0x1fffU) * 8U;
    ASSERT_GT(cutter.count(), 1U);
    Bytes data(frame.size() - 14 - header, 0);
    for (std::uint32_t i = 0; i < cutter.count(); ++i) {
        Bytes piece(cutter.length(i));
        cutter.write(i, piece);
        ASSERT_LE(piece.size() - 14, mtu);
        ASSERT_TRUE(std::equal(sent.begin(), sent.begin() + 14, piece.begin()));
        const std::uint8_t* const ip_bytes = piece.data() + 14 + outer;
        const auto ip = read_header<Ipv4Header>(ip_bytes);
        ASSERT_EQ(test::naive_checksum({ip_bytes, header}), 0);
        ASSERT_EQ(ip.total_length.host(), piece.size() - 14 - outer);
        ASSERT_EQ(ip.id, original.id);
        const bool more = (ip.fragment.host() & Ipv4Header::more_fragments) != 0;
        const bool original_more = (original.fragment.host() & Ipv4Header::more_fragments) != 0;
        ASSERT_EQ(more, original_more || i + 1 < cutter.count());
        const unsigned at = ((ip.fragment.host() & 0x1fffU) * 8U) - first_offset;
        ASSERT_LE(at + piece.size() - 14 - outer - header, data.size());
        std::copy(
            piece.begin() + 14 + static_cast<long>(outer + header), piece.end(), data.begin() + at
        );
        if (backend.rewrite == Rewrite::tunnel_ipv4) {
            ASSERT_EQ(test::naive_checksum({piece.data() + 14, 20}), 0);
            ASSERT_EQ(
                read_header<Ipv4Header>(piece.data() + 14).total_length.host(), piece.size() - 14
            );
        } else if (backend.rewrite == Rewrite::tunnel_ipv6) {
            ASSERT_EQ(
                read_header<Ipv6Header>(piece.data() + 14).payload_length.host(), piece.size() - 54
            );
        }
        if (backend.encapsulation == Encapsulation::gue &&
            backend.rewrite == Rewrite::tunnel_ipv6) {
            const auto length = static_cast<std::uint32_t>(piece.size() - 54);
            ASSERT_EQ(read_header<UdpHeader>(piece.data() + 54).length.host(), length);
            const std::uint64_t pseudo = add_pseudo_header_ipv6(0, piece.data() + 22, length, 17);
            ASSERT_EQ(fold_checksum(add_to_checksum(pseudo, {piece.data() + 54, length})), 0xffff);
        }
    }
    EXPECT_EQ(data, Bytes(frame.begin() + 14 + static_cast<long>(header), frame.end()));
}

TEST_F(SizesTest, WhatMayBeCutIsCutInEveryMode) {
    struct Case {
        Forwarding forwarding;
        const char* backend;
    };

    for (const Case& each :
         {Case{Forwarding::ipip, "10.0.1.1"},
          Case{Forwarding::ipip, "2001:db8:1::4"},
          Case{Forwarding::gre, "10.0.1.1"},
          Case{Forwarding::gue, "10.0.1.1"},
          Case{Forwarding::gue, "2001:db8:1::4"}}) {
        use(each.forwarding, each.backend);
        for (const std::size_t payload : {1473U, 2000U, 8000U, 9001U}) {
            auto whole = PacketBuilder::tcp().to(vip).payload(payload).checksums();
            const Bytes frame = whole.build();
            const Verdict verdict = rig.send(frame);
            ASSERT_EQ(verdict.kind, VerdictKind::forward);
            ASSERT_EQ(verdict.cut_mtu, 1500);
            expect_whole_again(frame, rig.sent[0], rig.snapshot->backend(verdict.backend), 1500);
        }
        const Bytes options =
            PacketBuilder::tcp().to(vip).options(Bytes(8, 1)).payload(3000).build();
        const Verdict verdict = rig.send(options);
        ASSERT_EQ(verdict.cut_mtu, 1500);
        expect_whole_again(options, rig.sent[0], rig.snapshot->backend(verdict.backend), 576);
    }
    auto on_link = test::service(vip, {test::backend("10.0.1.1")});
    on_link.forwarding = Forwarding::l2dsr;
    rig.use(test::desired({on_link}, ++generation));
    const Bytes frame = PacketBuilder::tcp().to(vip).payload(3000).build();
    const Verdict verdict = rig.send(frame);
    ASSERT_EQ(verdict.cut_mtu, 1500);
    expect_whole_again(frame, rig.sent[0], rig.snapshot->backend(verdict.backend), 1500);
}

TEST_F(SizesTest, AFragmentIsCutFurther) {
    use(Forwarding::ipip);
    const Bytes first = PacketBuilder::tcp().to(vip).id(9).fragment(0, true).payload(1460).build();
    const Verdict head = rig.send(first);
    ASSERT_EQ(head.cut_mtu, 1500);
    expect_whole_again(first, rig.sent[0], rig.snapshot->backend(head.backend), 1500);
    for (const bool more : {true, false}) {
        const Bytes later =
            PacketBuilder::ip_protocol(6).to(vip).id(9).fragment(185, more).payload(1480).build();
        const Verdict verdict = rig.send(later);
        ASSERT_EQ(verdict.kind, VerdictKind::forward);
        ASSERT_EQ(verdict.cut_mtu, 1500);
        expect_whole_again(later, rig.sent[0], rig.snapshot->backend(verdict.backend), 1500);
    }
}

} // namespace
} // namespace penstock
