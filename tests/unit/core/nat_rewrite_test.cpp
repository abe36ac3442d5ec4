// SPDX-License-Identifier: Apache-2.0
// Every edit is held against the packet that the builder makes for the new tuple: byte for byte,
// with checksums that it sums from nothing.
#include "dataplane/core/nat_rewrite.hpp"

#include "dataplane/core/nat_tuples.hpp"
#include "tests/unit/core/packet_builder.hpp"

#include <gtest/gtest.h>
#include <random>

namespace penstock {
namespace {

using test::Bytes;
using test::FrameBuffer;
using test::PacketBuilder;

struct Case {
    bool ipv6;
    std::uint8_t protocol;
};

std::string name_of(const testing::TestParamInfo<Case>& info) {
    return std::string(info.param.protocol == protocol_tcp ? "Tcp" : "Udp") +
           (info.param.ipv6 ? "Ipv6" : "Ipv4");
}

class NatRewriteTest : public testing::TestWithParam<Case> {
protected:
    [[nodiscard]] bool ipv6() const { return GetParam().ipv6; }

    [[nodiscard]] FlowTuple before() const {
        return {
            .source = test::ip(ipv6() ? "2001:db8:c::7" : "192.0.2.7"),
            .destination = test::ip(ipv6() ? "2001:db8::10" : "198.51.100.10"),
            .source_port = Be16::from_host(40000),
            .destination_port = Be16::from_host(80),
            .protocol = GetParam().protocol,
        };
    }

    [[nodiscard]] FlowTuple after() const {
        return {
            .source = test::ip(ipv6() ? "fd00::1:5" : "10.0.0.5"),
            .destination = test::ip(ipv6() ? "fd00::2:9" : "10.0.1.9"),
            .source_port = Be16::from_host(61234),
            .destination_port = Be16::from_host(8080),
            .protocol = GetParam().protocol,
        };
    }

    static PacketBuilder packet(const FlowTuple& tuple) {
        auto builder = tuple.protocol == protocol_tcp ? PacketBuilder::tcp() : PacketBuilder::udp();
        return builder.from(tuple.source.to_string(), tuple.source_port.host())
            .to(tuple.destination.to_string(), tuple.destination_port.host());
    }

    static Bytes rewritten(const Bytes& frame, const FlowTuple& tuple) {
        const FrameBuffer buffer(frame);
        rewrite_tuple(buffer.packet, parse_packet(buffer.packet), tuple);
        return buffer.bytes();
    }

    // The layer-3 packet without Ethernet, as an error quotes it.
    static Bytes quote(const PacketBuilder& builder, std::size_t most = 2000) {
        const Bytes frame = builder.build();
        const std::size_t size = std::min(frame.size() - 14, most);
        return {frame.begin() + 14, frame.begin() + 14 + static_cast<long>(size)};
    }

    [[nodiscard]] PacketBuilder
    error(const IpAddress& source, const IpAddress& destination, Bytes quoted) const {
        auto builder = ipv6() ? PacketBuilder::icmpv6_message() : PacketBuilder::icmp();
        return builder.icmp_type(ipv6() ? 2 : 3, ipv6() ? 0 : 4)
            .from(source.to_string(), 0)
            .to(destination.to_string())
            .payload(std::move(quoted));
    }
};

INSTANTIATE_TEST_SUITE_P(
    All,
    NatRewriteTest,
    testing::Values(
        Case{false, protocol_tcp},
        Case{false, protocol_udp},
        Case{true, protocol_tcp},
        Case{true, protocol_udp}
    ),
    name_of
);

TEST_P(NatRewriteTest, IsThePacketOfTheNewTuple) {
    for (const std::size_t length : {0U, 1U, 2U, 1001U}) {
        const Bytes in = packet(before()).tos(0xb9).checksums().payload(length).build();
        const Bytes out = packet(after()).tos(0xb9).checksums().payload(length).build();
        EXPECT_EQ(rewritten(in, after()), out) << length;
        EXPECT_EQ(rewritten(rewritten(in, after()), before()), in) << "and back";
    }
}

TEST_P(NatRewriteTest, KeepsTagsOptionsAndPadding) {
    auto in = packet(before()).vlan(7).vlan(9).padding(11).checksums();
    auto out = packet(after()).vlan(7).vlan(9).padding(11).checksums();
    if (ipv6()) {
        in.extension(60, {0, 1, 4, 0, 0, 0, 0});
        out.extension(60, {0, 1, 4, 0, 0, 0, 0});
    } else {
        in.options({0x94, 4, 0, 0, 1, 1, 1, 1});
        out.options({0x94, 4, 0, 0, 1, 1, 1, 1});
    }
    EXPECT_EQ(rewritten(in.build(), after()), out.build());
}

// Any tuple: the one's complement sum has two zeros, and only one is right (RFC 1624 3).
TEST_P(NatRewriteTest, IsRightForAnyTuple) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 20'000; ++i) {
        FlowTuple tuple = after();
        auto source = tuple.source.bytes();
        source[15] = static_cast<std::uint8_t>(random());
        source[14] = static_cast<std::uint8_t>(random());
        tuple.source = IpAddress::from_ipv6(source);
        tuple.source_port = Be16{static_cast<std::uint16_t>(random())};
        tuple.destination_port = Be16{static_cast<std::uint16_t>(random())};
        const std::size_t length = random() % 8;
        const Bytes in = packet(before()).checksums().payload(length).build();
        ASSERT_EQ(rewritten(in, tuple), packet(tuple).checksums().payload(length).build());
    }
}

TEST_P(NatRewriteTest, AWrongChecksumStaysAsWrong) {
    Bytes in = packet(before()).checksums().payload(20).build();
    Bytes out = packet(after()).checksums().payload(20).build();
    in.back() ^= 0x55U;
    out.back() ^= 0x55U;
    EXPECT_EQ(rewritten(in, after()), out);
}

TEST_P(NatRewriteTest, OfALaterFragmentOnlyTheAddresses) {
    if (ipv6()) {
        const Bytes field{0, 0x00, 0x50, 1, 2, 3, 4}; // offset 80
        const Bytes in = packet(before()).extension(44, field).payload(64).build();
        FlowTuple ports_kept = after();
        ports_kept.source_port = before().source_port;
        ports_kept.destination_port = before().destination_port;
        const Bytes out = packet(ports_kept).extension(44, field).payload(64).build();
        EXPECT_EQ(rewritten(in, after()), out);
        return;
    }
    FlowTuple ports_kept = after();
    ports_kept.source_port = before().source_port;
    ports_kept.destination_port = before().destination_port;
    const Bytes in = packet(before()).fragment(10, true).payload(64).build();
    EXPECT_EQ(rewritten(in, after()), packet(ports_kept).fragment(10, true).payload(64).build());
}

TEST_P(NatRewriteTest, AQuotedPacketIsRewrittenInside) {
    const IpAddress router = test::ip(ipv6() ? "2001:db8:f::1" : "203.0.113.1");
    for (const std::size_t most : {2000U, 60U, 52U, 50U, 48U, 44U, 32U, 28U}) {
        if (most < (ipv6() ? 44U : 24U)) {
            continue;
        }
        // From the server's side: it quotes what we sent to the server.
        const Bytes quoted = quote(packet(after()).checksums().payload(100), most);
        const Bytes in = error(router, after().source, quoted).build();
        Bytes expected_quote = quote(packet(before()).checksums().payload(100), most);
        const Bytes out = error(before().destination, before().source, expected_quote).build();

        const FrameBuffer buffer(in);
        const ParsedPacket parsed = parse_packet(buffer.packet);
        const auto found = quoted_in(buffer.packet, parsed);
        ASSERT_TRUE(found) << most;
        EXPECT_EQ(tuple_of(*found), after());
        rewrite_error(buffer.packet, parsed, *found, reversed(before()), before());
        EXPECT_EQ(buffer.bytes(), out) << most;
    }
}

TEST(NatRewrite, NoUdpChecksumStaysNone) {
    const FlowTuple tuple{
        .source = test::ip("10.0.0.5"),
        .destination = test::ip("10.0.1.9"),
        .source_port = Be16::from_host(1024),
        .destination_port = Be16::from_host(53),
        .protocol = protocol_udp,
    };
    const Bytes in = PacketBuilder::udp().from("192.0.2.1", 999).to("198.51.100.10", 53).build();
    const FrameBuffer buffer(in);
    rewrite_tuple(buffer.packet, parse_packet(buffer.packet), tuple);
    EXPECT_EQ(
        buffer.bytes(), PacketBuilder::udp().from("10.0.0.5", 1024).to("10.0.1.9", 53).build()
    );
}

} // namespace
} // namespace penstock
