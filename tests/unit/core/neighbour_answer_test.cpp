// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/neighbour_answer.hpp"

#include "tests/unit/core/worker_rig.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using test::Bytes;
using test::PacketBuilder;
using test::WorkerRig;

constexpr const char* vip = "2001:db8::10";
constexpr const char* group = "ff02::1:ff00:10";

// A solicitation for `target`; its reserved word is the builder's port word.
PacketBuilder solicitation(const char* from, const char* to, const char* target, Bytes options) {
    const IpAddress address = test::ip(target);
    Bytes body(address.bytes().begin(), address.bytes().end());
    test::append(body, options);
    return PacketBuilder::icmpv6_message().icmp_type(135).from(from, 0).to(to).ttl(255).payload(body
    );
}

const Bytes source_mac{1, 1, 2, 0, 0, 0, 0, 1};

class NeighbourAnswerTest : public testing::Test {
protected:
    void SetUp() override {
        auto spec = test::service(vip, {});
        auto state = test::desired({spec});
        rig.use(state);
    }

    WorkerRig rig;
};

void expect_advertisement(const Bytes& frame, const char* to, std::uint8_t flags) {
    ASSERT_EQ(frame.size(), 14U + 40 + 32);
    const auto ip = read_header<Ipv6Header>(frame.data() + 14);
    EXPECT_EQ(IpAddress::from_ipv6(ip.source), test::ip(vip));
    EXPECT_EQ(IpAddress::from_ipv6(ip.destination), test::ip(to));
    EXPECT_EQ(ip.hop_limit, 255);
    EXPECT_EQ(ip.payload_length.host(), 32);
    const std::uint8_t* const message = frame.data() + 54;
    EXPECT_EQ(message[0], 136);
    EXPECT_EQ(message[4], flags);
    const IpAddress address = test::ip(vip);
    EXPECT_TRUE(std::equal(message + 8, message + 24, address.bytes().begin()));
    EXPECT_EQ(Bytes(message + 24, message + 32), (Bytes{2, 1, 2, 0, 0, 0, 0, 0xaa}));
    const std::uint64_t pseudo = add_pseudo_header_ipv6(0, frame.data() + 22, 32, protocol_icmpv6);
    EXPECT_EQ(fold_checksum(add_to_checksum(pseudo, {message, 32})), 0xffff);
    EXPECT_EQ(read_header<MacAddress>(frame.data() + 6), test::our_mac);
}

TEST_F(NeighbourAnswerTest, AnswersWithAndWithoutTheAskersMac) {
    for (const Bytes& options : {source_mac, Bytes{}}) {
        const Bytes frame = solicitation("2001:db8::1", group, vip, options).build();
        const Verdict verdict = rig.send(frame);
        ASSERT_EQ(verdict.kind, VerdictKind::reply);
        expect_advertisement(rig.sent[0], "2001:db8::1", 0x60);
        EXPECT_EQ(read_header<MacAddress>(rig.sent[0].data()), test::client_mac);
    }
}

TEST_F(NeighbourAnswerTest, AProbeForADuplicateIsAnsweredToAllNodes) {
    ASSERT_EQ(rig.send(solicitation("::", group, vip, {}).build()).kind, VerdictKind::reply);
    expect_advertisement(rig.sent[0], "ff02::1", 0x20);
    EXPECT_EQ(read_header<MacAddress>(rig.sent[0].data()).to_string(), "33:33:00:00:00:01");
}

TEST_F(NeighbourAnswerTest, KeepsVlanTags) {
    const Bytes frame = solicitation("2001:db8::1", group, vip, {}).vlan(9).build();
    ASSERT_EQ(rig.send(frame).kind, VerdictKind::reply);
    EXPECT_EQ(
        Bytes(rig.sent[0].begin() + 12, rig.sent[0].begin() + 18),
        (Bytes{0x81, 0, 0, 9, 0x86, 0xdd})
    );
}

TEST_F(NeighbourAnswerTest, OthersAddressesAreTheKernels) {
    const Bytes frame =
        solicitation("2001:db8::1", "ff02::1:ff00:11", "2001:db8::11", source_mac).build();
    EXPECT_EQ(rig.send(frame).kind, VerdictKind::kernel);
    EXPECT_EQ(rig.sent[0], frame);
}

TEST_F(NeighbourAnswerTest, WhatBreaksTheRulesIsDroppedAsItCame) {
    const auto base = [](Bytes options = source_mac) {
        return solicitation("2001:db8::1", group, vip, std::move(options));
    };
    Bytes bad_checksum = base().build();
    bad_checksum[56] ^= 1U;
    const std::vector<Bytes> frames{
        base().ttl(254).build(),
        base().icmp_type(135, 1).build(),
        base({1, 0, 0, 0, 0, 0, 0, 0}).build(), // an option of no length
        base({1, 2, 0, 0, 0, 0, 0, 0}).build(), // longer than the packet
        base({1}).build(),
        solicitation("2001:db8::1", group, "ff02::1", source_mac).build(),
        PacketBuilder::icmpv6_message()
            .icmp_type(135)
            .from("2001:db8::1")
            .to(group)
            .ttl(255)
            .payload(15)
            .build(),
        bad_checksum,
    };
    for (const Bytes& frame : frames) {
        const Verdict verdict = rig.send(frame);
        EXPECT_EQ(verdict.kind, VerdictKind::drop);
        EXPECT_EQ(verdict.reason, DropReason::bad_neighbour_solicitation);
        EXPECT_EQ(rig.sent[0], frame);
    }
}

TEST_F(NeighbourAnswerTest, EchoToAVipIsAnswered) {
    const Bytes frame =
        PacketBuilder::icmpv6_message().from("2001:db8::1", 7).to(vip).payload(33).build();
    ASSERT_EQ(rig.send(frame).kind, VerdictKind::reply);
    Bytes expected = PacketBuilder::icmpv6_message()
                         .icmp_type(129)
                         .from(vip, 7)
                         .to("2001:db8::1")
                         .ttl(64)
                         .payload(33)
                         .build();
    std::copy(test::client_mac.bytes.begin(), test::client_mac.bytes.end(), expected.begin());
    std::copy(test::our_mac.bytes.begin(), test::our_mac.bytes.end(), expected.begin() + 6);
    EXPECT_EQ(rig.sent[0], expected);
    Bytes wrong = frame;
    wrong[60] ^= 1U;
    EXPECT_EQ(rig.send(wrong).reason, DropReason::bad_icmp_checksum);
}

} // namespace
} // namespace penstock
