// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/toa.hpp"

#include "tests/unit/core/packet_builder.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using test::Bytes;
using test::FrameBuffer;
using test::PacketBuilder;

constexpr Be16 client_port = Be16::from_host(0x9c40);
const Bytes ours_ipv4{254, 8, 0x9c, 0x40, 192, 0, 2, 1};
const Bytes ours_ipv6{254, 20, 0x9c, 0x40, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
const Bytes timestamps{1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};

PacketBuilder segment(bool ipv6) {
    auto builder = PacketBuilder::tcp();
    return builder.from(ipv6 ? "2001:db8::1" : "192.0.2.1", 40000)
        .to(ipv6 ? "2001:db8::10" : "198.51.100.10")
        .checksums()
        .vlan(7);
}

struct Added {
    bool done;
    Bytes bytes;
    Packet packet;
};

Added add(
    const Bytes& frame, std::string_view client, std::uint32_t mtu = 1500, std::uint16_t room = 128
) {
    FrameBuffer buffer(frame, room);
    const ParsedPacket parsed = parse_packet(buffer.packet);
    const bool done = add_toa(buffer.packet, parsed, test::ip(client), client_port, mtu);
    return {.done = done, .bytes = buffer.bytes(), .packet = buffer.packet};
}

TEST(Toa, GoesInFrontOfTheOtherOptions) {
    for (const std::size_t payload : {0U, 1U, 500U}) {
        const Bytes in = segment(false).tcp_options(timestamps).payload(payload).build();
        Bytes options = ours_ipv4;
        test::append(options, timestamps);
        const Added added = add(in, "192.0.2.1");
        EXPECT_TRUE(added.done);
        EXPECT_EQ(added.bytes, segment(false).tcp_options(options).payload(payload).build());
        EXPECT_EQ(added.packet.headroom, 120);
        EXPECT_EQ(added.packet.total_length, in.size() + 8);
    }
}

TEST(Toa, HasAFormForIpv6) {
    const Added added = add(segment(true).payload(33).build(), "2001:db8::1");
    EXPECT_TRUE(added.done);
    EXPECT_EQ(added.bytes, segment(true).tcp_options(ours_ipv6).payload(33).build());
}

TEST(Toa, NothingChangesWithoutRoom) {
    const Bytes full = segment(false).tcp_options(Bytes(36, 1)).build();
    EXPECT_FALSE(add(full, "192.0.2.1").done) << "in the TCP header";
    EXPECT_EQ(add(full, "192.0.2.1").bytes, full);
    EXPECT_TRUE(add(segment(false).tcp_options(Bytes(32, 1)).build(), "192.0.2.1").done);

    const Bytes large = segment(false).payload(1453).build(); // 1,493 bytes of layer 3
    EXPECT_FALSE(add(large, "192.0.2.1").done) << "in the MTU";
    EXPECT_EQ(add(large, "192.0.2.1").bytes, large);
    EXPECT_TRUE(add(segment(false).payload(1452).build(), "192.0.2.1").done);

    const Bytes small = segment(false).build();
    EXPECT_FALSE(add(small, "192.0.2.1", 1500, 7).done) << "in the headroom";
    EXPECT_TRUE(add(small, "192.0.2.1", 1500, 8).done);
}

Bytes blanked(const Bytes& frame) {
    const FrameBuffer buffer(frame);
    blank_toa(buffer.packet, parse_packet(buffer.packet));
    return buffer.bytes();
}

TEST(Toa, AClientsOwnIsBlankedOut) {
    Bytes forged{1, 254, 8, 1, 2, 9, 9, 9, 9, 1, 1, 1};
    test::append(forged, timestamps);
    test::append(forged, {254, 4, 7, 7});
    Bytes expected(12, 1);
    test::append(expected, timestamps);
    test::append(expected, {1, 1, 1, 1});
    EXPECT_EQ(
        blanked(segment(false).tcp_options(forged).payload(3).build()),
        segment(false).tcp_options(expected).payload(3).build()
    );
}

TEST(Toa, WhatIsNoOptionIsLeftAlone) {
    const std::vector<Bytes> harmless{
        {},
        timestamps,
        {0, 254, 8, 1},                         // behind the end
        {2, 4, 254, 8},                         // inside another one
        {3, 0, 254, 8, 1, 2, 3, 4, 1, 1, 1, 1}, // behind one without a length
        {1, 1, 254, 8},                         // longer than the header
        {1, 1, 1, 254},
    };
    for (const Bytes& options : harmless) {
        const Bytes frame = segment(true).tcp_options(options).build();
        EXPECT_EQ(blanked(frame), frame);
    }
}

} // namespace
} // namespace penstock
