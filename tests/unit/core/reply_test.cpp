// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/reply.hpp"

#include "tests/unit/core/desired.hpp"

#include <gtest/gtest.h>
#include <random>

namespace penstock {
namespace {

using test::Bytes;
using test::FrameBuffer;
using test::PacketBuilder;

constexpr const char* vip = "198.51.100.10";
constexpr PortFacts port{.mac = test::our_mac, .mtu = 1500};

class ReplyTest : public testing::Test {
protected:
    void SetUp() override {
        const auto compiled =
            compile_snapshot(test::desired({test::service(vip, {})}), ids_, nullptr);
        ASSERT_TRUE(compiled);
        snapshot_ = *compiled;
    }

    Verdict answer(FrameBuffer& buffer) {
        buffer.packet.rx_port = {3};
        const ParsedPacket parsed = parse_packet(buffer.packet);
        return parsed.kind == PacketKind::arp ? answer_arp(buffer.packet, parsed, port, *snapshot_)
                                              : answer_echo(buffer.packet, parsed, port);
    }

    // Expects the verdict and a packet as it came.
    void expect_untouched(const Bytes& frame, VerdictKind kind, DropReason reason = {}) {
        FrameBuffer buffer(frame);
        const Verdict verdict = answer(buffer);
        EXPECT_EQ(verdict.kind, kind);
        if (kind == VerdictKind::drop) {
            EXPECT_EQ(verdict.reason, reason) << drop_reason_name(verdict.reason);
        }
        EXPECT_EQ(buffer.bytes(), frame);
    }

    IdRegistry ids_;
    std::shared_ptr<const Snapshot> snapshot_;
};

TEST_F(ReplyTest, ArpAnswerBytesAreExact) {
    FrameBuffer buffer(test::arp_frame(1, "192.0.2.1", vip));
    const Verdict verdict = answer(buffer);
    EXPECT_EQ(verdict.kind, VerdictKind::reply);
    EXPECT_EQ(verdict.tx_port, PortId{3});
    const Bytes expected{
        0x02, 0,    0,    0,    0, 0x01,       // to the asker
        0x02, 0,    0,    0,    0, 0xaa,       // from our port
        0x08, 0x06,                            //
        0,    1,    0x08, 0x00, 6, 4,    0, 2, // Ethernet, IPv4, reply
        0x02, 0,    0,    0,    0, 0xaa,       // the VIP is at our MAC
        198,  51,   100,  10,                  //
        0x02, 0,    0,    0,    0, 0x01,       //
        192,  0,    2,    1,
    };
    EXPECT_EQ(buffer.bytes(), expected);
}

TEST_F(ReplyTest, ArpProbeIsAnswered) {
    FrameBuffer buffer(test::arp_frame(1, "0.0.0.0", vip)); // RFC 5227: somebody wants our address
    EXPECT_EQ(answer(buffer).kind, VerdictKind::reply);
}

TEST_F(ReplyTest, OtherArpIsTheKernels) {
    expect_untouched(test::arp_frame(1, "192.0.2.1", "198.51.100.9"), VerdictKind::kernel);
    expect_untouched(test::arp_frame(2, "192.0.2.1", vip), VerdictKind::kernel);
    expect_untouched(test::arp_frame(3, "192.0.2.1", vip), VerdictKind::kernel);
}

TEST_F(ReplyTest, ArpForOtherMediaIsDropped) {
    for (const std::size_t byte : {14U, 15U, 16U, 17U, 18U, 19U}) {
        Bytes frame = test::arp_frame(1, "192.0.2.1", vip);
        frame[byte] ^= 0x10U;
        expect_untouched(frame, VerdictKind::drop, DropReason::bad_arp);
    }
}

TEST_F(ReplyTest, ArpFromAGroupIsNotAnswered) {
    for (const std::size_t byte : {6U, 22U}) { // source of the frame, sender inside
        Bytes frame = test::arp_frame(1, "192.0.2.1", vip);
        frame[byte] |= 1U;
        expect_untouched(frame, VerdictKind::drop, DropReason::bad_reply_target);
    }
}

TEST_F(ReplyTest, EchoReplyBytesAreExact) {
    const auto builder = PacketBuilder::icmp().from("192.0.2.1", 0x4242).to(vip).payload(11);
    const Bytes frame = PacketBuilder(builder).vlan(7).padding(4).build();
    FrameBuffer buffer(frame);
    EXPECT_EQ(answer(buffer).kind, VerdictKind::reply);
    Bytes expected = PacketBuilder::icmp()
                         .from(vip, 0x4242)
                         .to("192.0.2.1")
                         .ttl(64)
                         .payload(11)
                         .icmp_type(IcmpHeader::echo_reply)
                         .vlan(7)
                         .padding(4)
                         .build();
    std::copy(test::client_mac.bytes.begin(), test::client_mac.bytes.end(), expected.begin());
    std::copy(test::our_mac.bytes.begin(), test::our_mac.bytes.end(), expected.begin() + 6);
    EXPECT_EQ(buffer.bytes(), expected);
}

// The checksum is edited, not computed anew: right for every payload, also where it becomes zero.
TEST_F(ReplyTest, EchoChecksumsAreRightForEveryPayload) {
    std::mt19937 random(1);
    for (int i = 0; i < 70000; ++i) {
        // Two bytes that run through all values, so that the sum does too.
        Bytes payload{static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)};
        payload.resize(2 + (random() % 5), 0x5a);
        FrameBuffer buffer(PacketBuilder::icmp().payload(payload).options(Bytes(4, 1)).build());
        ASSERT_EQ(answer(buffer).kind, VerdictKind::reply) << i;
        const std::uint8_t* const data = buffer.packet.data;
        ASSERT_EQ(test::naive_checksum({data + 14, 24}), 0) << i;
        ASSERT_EQ(test::naive_checksum({data + 38, buffer.packet.length - 38}), 0) << i;
    }
}

TEST_F(ReplyTest, EchoWithAWrongChecksumIsDropped) {
    const Bytes whole = PacketBuilder::icmp().payload(9).build();
    for (std::size_t byte = 36; byte < whole.size(); ++byte) {
        Bytes frame = whole;
        frame[byte] ^= 0x40U;
        expect_untouched(frame, VerdictKind::drop, DropReason::bad_icmp_checksum);
    }
}

TEST_F(ReplyTest, EchoFromNobodyIsNotAnswered) {
    for (const char* source : {"0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1", vip}) {
        expect_untouched(
            PacketBuilder::icmp().from(source).to(vip).build(),
            VerdictKind::drop,
            DropReason::bad_reply_target
        );
    }
    Bytes frame = PacketBuilder::icmp().build();
    frame[6] |= 1U;
    expect_untouched(frame, VerdictKind::drop, DropReason::bad_reply_target);
}

} // namespace
} // namespace penstock
