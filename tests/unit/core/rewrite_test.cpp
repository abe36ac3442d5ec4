// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/rewrite.hpp"

#include "dataplane/core/parse.hpp"
#include "dataplane/core/rewrite_plain.hpp"
#include "tests/unit/core/desired.hpp"

#include <gtest/gtest.h>
#include <random>

namespace penstock {
namespace {

using test::Bytes;
using test::FrameBuffer;
using test::PacketBuilder;

constexpr MacAddress hop_mac{{0x02, 0, 0, 0, 0, 0xbb}};

// One backend of each forwarding mode, and everything a rewrite wants.
class RewriteTest : public testing::Test {
protected:
    void SetUp() override {
        auto on_link = test::service("198.51.100.11", {test::backend("10.0.2.2")});
        on_link.forwarding = Forwarding::l2dsr;
        const auto state =
            test::desired({test::service("198.51.100.10", {test::backend("10.0.1.11")}), on_link});
        const auto compiled = compile_snapshot(state, ids_, nullptr);
        ASSERT_TRUE(compiled);
        snapshot_ = *compiled;
        ipip_ = &entry(state.services[0]);
        l2dsr_ = &entry(state.services[1]);
    }

    const BackendEntry& entry(const ServiceSpec& service) {
        return snapshot_->backend(ids_.backend(service.key, service.backends[0].key));
    }

    std::optional<DropReason> rewrite(FrameBuffer& buffer, const BackendEntry& backend) {
        const ParsedPacket parsed = parse_packet(buffer.packet);
        EXPECT_EQ(parsed.kind, PacketKind::ipv4);
        hops_->set({1}, {.mac = hop_mac, .port = {0}});
        return rewrite_for_backend(
            buffer.packet, parsed, backend, hops_->load({1}), test::our_mac, hash_
        );
    }

    IdRegistry ids_;
    std::shared_ptr<const Snapshot> snapshot_;
    const BackendEntry* ipip_ = nullptr;
    const BackendEntry* l2dsr_ = nullptr;
    std::unique_ptr<NextHopTable> hops_ = std::make_unique<NextHopTable>();
    FlowHash hash_{0x123456789abcdef0};
};

// The short ways write what the long one does, whatever the length, the TOS and the addresses.
TEST_F(RewriteTest, PlainTwinsAreEqual) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 2000; ++round) {
        const Bytes frame = PacketBuilder::tcp()
                                .from("192.0.2.1")
                                .to("198.51.100.10")
                                .tos(static_cast<std::uint8_t>(random()))
                                .payload(random() % 1200)
                                .padding(random() % 7)
                                .build();
        FrameBuffer by_long(frame, 20);
        FrameBuffer by_short(frame, 20);
        const MacAddress source{{2, 0, 0, 0, static_cast<std::uint8_t>(random()), 9}};
        const BackendEntry& backend = round % 2 == 0 ? *ipip_ : *l2dsr_;
        hops_->set({1}, {.mac = hop_mac, .port = {0}});
        const ParsedPacket parsed = parse_packet(by_long.packet);
        ASSERT_EQ(parsed.kind, PacketKind::ipv4);
        ASSERT_FALSE(
            rewrite_for_backend(by_long.packet, parsed, backend, hops_->load({1}), source, hash_)
        );
        if (is_plain_l2dsr(backend)) {
            write_ethernet_addresses(by_short.packet.data, hops_->load({1}), source);
        } else {
            ASSERT_TRUE(is_plain_ipip(by_short.packet, parsed, backend));
            rewrite_plain_ipip(
                by_short.packet, parsed, backend, hops_->load({1}), PortFacts{.mac = source}
            );
        }
        ASSERT_EQ(by_short.bytes(), by_long.bytes());
        ASSERT_EQ(by_short.packet.total_length, by_long.packet.total_length);
        ASSERT_EQ(by_short.packet.headroom, by_long.packet.headroom);
    }
}

TEST_F(RewriteTest, PlainTwinsAreEqualOfIpv6) {
    auto state = test::desired({test::service("2001:db8::10", {test::backend("2001:db8:1::b")})});
    state.tunnel_sources.ipv6 = IpPrefix::parse("2001:db8:f::1");
    const auto compiled = compile_snapshot(state, ids_, nullptr);
    ASSERT_TRUE(compiled);
    const ServiceSpec& service = state.services[0];
    const BackendEntry& backend =
        (*compiled)->backend(ids_.backend(service.key, service.backends[0].key));
    hops_->set({1}, {.mac = hop_mac, .port = {0}});
    std::mt19937_64 random(8);
    for (int round = 0; round < 2000; ++round) {
        Bytes frame = PacketBuilder::tcp()
                          .from("2001:db8:c::1")
                          .to("2001:db8::10")
                          .payload(random() % 1200)
                          .padding(random() % 7)
                          .build();
        const auto traffic_class = static_cast<std::uint8_t>(random());
        frame[14] = static_cast<std::uint8_t>(0x60U | (traffic_class >> 4U));
        frame[15] = static_cast<std::uint8_t>((traffic_class << 4U) | (random() & 0xfU));
        FrameBuffer by_long(frame, 40);
        FrameBuffer by_short(frame, 40);
        const FlowHash hash{random()};
        const MacAddress source{{2, 0, 0, 0, static_cast<std::uint8_t>(random()), 9}};
        const ParsedPacket parsed = parse_packet(by_long.packet);
        ASSERT_EQ(parsed.kind, PacketKind::ipv6);
        ASSERT_FALSE(
            rewrite_for_backend(by_long.packet, parsed, backend, hops_->load({1}), source, hash)
        );
        ASSERT_TRUE(is_plain_ipip6(by_short.packet, parsed, backend));
        const PortFacts port{.mac = source};
        rewrite_plain_ipip6(by_short.packet, parsed, backend, hops_->load({1}), port, hash);
        ASSERT_EQ(by_short.bytes(), by_long.bytes());
        ASSERT_EQ(by_short.packet.total_length, by_long.packet.total_length);
        ASSERT_EQ(by_short.packet.headroom, by_long.packet.headroom);
    }
}

TEST_F(RewriteTest, IpipBytesAreExact) {
    const Bytes frame =
        PacketBuilder::tcp().from("192.0.2.1").to("198.51.100.10").dont_fragment().build();
    FrameBuffer buffer(frame, 20);
    ASSERT_FALSE(rewrite(buffer, *ipip_));
    Bytes expected{
        0x02, 0x00, 0x00, 0x00, 0x00, 0xbb, // next hop
        0x02, 0x00, 0x00, 0x00, 0x00, 0xaa, // our port
        0x08, 0x00,                         //
        0x45, 0x00, 0x00, 0x3c,             // 20 + 40 bytes
        0x00, 0x00, 0x40, 0x00,             // id 0, DF
        0x40, 0x04, 0x00, 0x00,             // TTL 64, protocol 4
        0x0a, 0x00, 0x00, 0x01,             // 10.0.0.1
        0x0a, 0x00, 0x01, 0x0b,             // 10.0.1.11
    };
    const std::uint16_t checksum = test::naive_checksum(std::span(expected).subspan(14));
    expected[24] = static_cast<std::uint8_t>(checksum >> 8U);
    expected[25] = static_cast<std::uint8_t>(checksum & 0xffU);
    test::append(expected, {frame.begin() + 14, frame.end()});
    EXPECT_EQ(buffer.bytes(), expected);
    EXPECT_EQ(buffer.packet.length, frame.size() + 20);
    EXPECT_EQ(buffer.packet.total_length, frame.size() + 20);
    EXPECT_EQ(buffer.packet.headroom, 0);
}

TEST_F(RewriteTest, L2dsrChangesNothingButTheAddresses) {
    const Bytes frame = PacketBuilder::tcp().to("198.51.100.11").tos(0x2e).payload(9).build();
    FrameBuffer buffer(frame, 0); // needs no headroom
    ASSERT_FALSE(rewrite(buffer, *l2dsr_));
    Bytes expected = frame;
    std::copy(hop_mac.bytes.begin(), hop_mac.bytes.end(), expected.begin());
    std::copy(test::our_mac.bytes.begin(), test::our_mac.bytes.end(), expected.begin() + 6);
    EXPECT_EQ(buffer.bytes(), expected);
}

TEST_F(RewriteTest, KeepsVlanTags) {
    for (const BackendEntry* backend : {ipip_, l2dsr_}) {
        const Bytes frame =
            PacketBuilder::udp().vlan(100, ethertype_qinq).vlan(0x2007).payload(3).build();
        FrameBuffer buffer(frame);
        ASSERT_FALSE(rewrite(buffer, *backend));
        const Bytes sent = buffer.bytes();
        EXPECT_TRUE(std::equal(frame.begin() + 12, frame.begin() + 22, sent.begin() + 12));
        EXPECT_EQ(Bytes(sent.end() - 31, sent.end()), Bytes(frame.end() - 31, frame.end()));
        const ParsedPacket parsed = parse_packet(buffer.packet);
        EXPECT_EQ(parsed.kind, PacketKind::ipv4);
        EXPECT_EQ(parsed.protocol, backend == ipip_ ? protocol_ipip : protocol_udp);
    }
}

// Outer packets are never fragmented, so that they need no identification (RFC 6864 4.1).
TEST_F(RewriteTest, OuterHeaderForbidsFragmentsWhateverTheInnerSays) {
    for (const Bytes& frame :
         {PacketBuilder::udp().dont_fragment().build(), PacketBuilder::udp().build()}) {
        FrameBuffer buffer(frame);
        ASSERT_FALSE(rewrite(buffer, *ipip_));
        const auto outer = read_header<Ipv4Header>(buffer.packet.data + 14);
        EXPECT_EQ(outer.id.host(), 0);
        EXPECT_EQ(outer.fragment.host(), Ipv4Header::dont_fragment);
    }
}

TEST_F(RewriteTest, CopiesDscpAndEcn) {
    for (unsigned tos = 0; tos < 256; ++tos) {
        FrameBuffer buffer(PacketBuilder::udp().tos(static_cast<std::uint8_t>(tos)).build());
        ASSERT_FALSE(rewrite(buffer, *ipip_));
        ASSERT_EQ(read_header<Ipv4Header>(buffer.packet.data + 14).tos, tos);
        ASSERT_EQ(test::naive_checksum({buffer.packet.data + 14, 20}), 0) << tos;
    }
}

TEST_F(RewriteTest, OuterChecksumIsRightForEveryLength) {
    std::mt19937 random(1);
    for (int i = 0; i < 5000; ++i) {
        auto builder = PacketBuilder::udp();
        builder.payload(random() % 1400).tos(static_cast<std::uint8_t>(random()));
        if (random() % 2 == 0) {
            builder.dont_fragment();
        }
        FrameBuffer buffer(builder.build());
        ASSERT_FALSE(rewrite(buffer, *ipip_));
        ASSERT_EQ(test::naive_checksum({buffer.packet.data + 14, 20}), 0);
        ASSERT_NE(read_header<Ipv4Header>(buffer.packet.data + 14).checksum.raw, 0xffff);
    }
}

// Padding travels along. A frame that pads a small packet beyond the MTU must not reach a driver.
TEST_F(RewriteTest, SentLengthCountsOuterHeadersAndPadding) {
    const auto length_of = [](const Bytes& frame, const BackendEntry& backend) {
        FrameBuffer buffer(frame);
        return sent_length(buffer.packet, parse_packet(buffer.packet), backend);
    };
    EXPECT_EQ(length_of(PacketBuilder::udp().payload(1452).build(), *ipip_), 1500U);
    EXPECT_EQ(length_of(PacketBuilder::udp().payload(1452).build(), *l2dsr_), 1480U);
    EXPECT_EQ(length_of(PacketBuilder::udp().payload(10).padding(1442).build(), *ipip_), 1500U);
    EXPECT_EQ(length_of(PacketBuilder::udp().vlan(7).payload(1452).build(), *ipip_), 1500U);
}

TEST_F(RewriteTest, NoHeadroomLeavesThePacketAlone) {
    const Bytes frame = PacketBuilder::udp().build();
    for (std::uint16_t headroom = 0; headroom < 20; ++headroom) {
        FrameBuffer buffer(frame, headroom);
        EXPECT_EQ(rewrite(buffer, *ipip_), DropReason::no_headroom);
        EXPECT_EQ(buffer.bytes(), frame);
        EXPECT_EQ(buffer.packet.headroom, headroom);
    }
}

} // namespace
} // namespace penstock
