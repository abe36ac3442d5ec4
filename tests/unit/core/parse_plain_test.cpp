// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/parse_plain.hpp"

#include "tests/unit/core/packet_builder.hpp"

#include <gtest/gtest.h>
#include <random>

namespace penstock {
namespace {

using test::Bytes;
using test::FrameBuffer;
using test::PacketBuilder;

void expect_equal(const ParsedPacket& a, const ParsedPacket& b) {
    ASSERT_EQ(a.kind, b.kind);
    ASSERT_EQ(a.fragment, b.fragment);
    ASSERT_EQ(a.l3, b.l3);
    ASSERT_EQ(a.l4, b.l4);
    ASSERT_EQ(a.l3_length, b.l3_length);
    ASSERT_EQ(a.protocol, b.protocol);
    ASSERT_EQ(a.tcp_flags, b.tcp_flags);
    ASSERT_EQ(a.source_port, b.source_port);
    ASSERT_EQ(a.destination_port, b.destination_port);
}

// True if the short way took it; then the long way must say the same.
bool compare_ways(const Bytes& frame) {
    const FrameBuffer buffer(frame, 0); // no headroom: ASan sees reads on both sides
    ParsedPacket quick;
    const bool taken = parse_plain_packet(buffer.packet, quick);
    ParsedPacket slow;
    if (taken) {
        parse_any_packet(buffer.packet, slow);
    }
    expect_equal(quick, slow); // untouched if it was not taken
    return taken;
}

std::vector<Bytes> plain_frames() {
    return {
        PacketBuilder::tcp().from("192.0.2.1", 1234).to("198.51.100.10", 80).payload(10).build(),
        PacketBuilder::tcp().from("192.0.2.1", 1).to("198.51.100.10", 65535).padding(6).build(),
        PacketBuilder::tcp().from("2001:db8::1", 1234).to("2001:db8::2", 80).payload(3).build(),
    };
}

TEST(ParsePlain, TakesPlainTcp) {
    for (const Bytes& frame : plain_frames()) {
        EXPECT_TRUE(compare_ways(frame));
    }
}

TEST(ParsePlain, LeavesTheRest) {
    const auto udp = PacketBuilder::udp().from("192.0.2.1", 1).to("198.51.100.10", 53).build();
    EXPECT_FALSE(compare_ways(udp));
    EXPECT_FALSE(compare_ways(Bytes(5)));
    for (const Bytes& whole : plain_frames()) {
        for (std::size_t length = 0; length < 14 + 20 + 20; ++length) {
            EXPECT_FALSE(compare_ways(Bytes(whole.begin(), whole.begin() + static_cast<int>(length))
            ));
        }
    }
}

// Every value of every byte of the headers, with the IPv4 checksum made right for half of them, or
// nothing behind the checksum would be reached.
TEST(ParsePlain, SaysWhatTheLongWaySays) {
    std::size_t taken = 0;
    std::size_t left = 0;
    for (const Bytes& whole : plain_frames()) {
        const bool is_ipv4 = whole[12] == 0x08;
        for (std::size_t at = 12; at < 14 + 40 + 14; ++at) {
            for (unsigned value = 0; value < 512 && at < whole.size(); ++value) {
                Bytes frame = whole;
                frame[at] = static_cast<std::uint8_t>(value);
                if (value >= 256 && is_ipv4) {
                    frame[24] = frame[25] = 0;
                    const auto header = std::span(frame).subspan(14, 20);
                    const std::uint16_t checksum = test::naive_checksum(header);
                    frame[24] = static_cast<std::uint8_t>(checksum >> 8U);
                    frame[25] = static_cast<std::uint8_t>(checksum);
                }
                ++(compare_ways(frame) ? taken : left);
            }
        }
    }
    EXPECT_GT(taken, 10'000U);
    EXPECT_GT(left, 10'000U);
}

TEST(ParsePlain, SurvivesRandomBytes) {
    std::mt19937 random(4);
    for (int round = 0; round < 100'000; ++round) {
        Bytes frame = plain_frames()[random() % 3];
        for (unsigned change = 0; change < 1 + random() % 4; ++change) {
            frame[random() % frame.size()] = static_cast<std::uint8_t>(random());
        }
        frame.resize(random() % (frame.size() + 1));
        compare_ways(frame);
    }
}

} // namespace
} // namespace penstock
