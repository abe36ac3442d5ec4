// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/mss_clamp.hpp"

#include "tests/unit/core/packet_builder.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using test::Bytes;
using test::FrameBuffer;
using test::PacketBuilder;

Bytes clamp(const Bytes& frame, std::uint16_t mss) {
    FrameBuffer buffer(frame);
    clamp_mss(buffer.packet, parse_packet(buffer.packet), mss);
    return buffer.bytes();
}

PacketBuilder syn(const char* from, Bytes options) {
    const bool six = std::string_view(from).find(':') != std::string_view::npos;
    return PacketBuilder::tcp()
        .from(from)
        .to(six ? "2001:db8::10" : "198.51.100.10")
        .flags(TcpHeader::syn)
        .tcp_options(std::move(options))
        .checksums();
}

// What the same segment would be if it had announced less: the checksum is right again.
TEST(MssClamp, LowersTheOptionAndMendsTheChecksum) {
    for (const char* from : {"192.0.2.1", "2001:db8::1"}) {
        // At an even offset, at an odd one behind a no-operation, behind other options.
        EXPECT_EQ(
            clamp(syn(from, {2, 4, 0x05, 0xb4}).build(), 1400),
            syn(from, {2, 4, 0x05, 0x78}).build()
        );
        EXPECT_EQ(
            clamp(syn(from, {1, 2, 4, 0x05, 0xb4, 0, 0, 0}).build(), 1400),
            syn(from, {1, 2, 4, 0x05, 0x78, 0, 0, 0}).build()
        );
        EXPECT_EQ(
            clamp(syn(from, {3, 3, 7, 8, 3, 9, 2, 4, 0xff, 0xff, 1, 1}).build(), 536),
            syn(from, {3, 3, 7, 8, 3, 9, 2, 4, 0x02, 0x18, 1, 1}).build()
        );
    }
}

TEST(MssClamp, LeavesSmallerMissingAndMalformedOptionsAlone) {
    for (const Bytes& options : std::vector<Bytes>{
             {},
             {2, 4, 0x05, 0x78},             // as small already
             {2, 3, 0xff, 0xff},             // wrong length
             {2, 5, 0xff, 0xff},             // longer than the header
             {3, 0, 2, 4, 0xff, 0xff, 0, 0}, // no way on
             {0, 0, 0, 0, 2, 4, 0xff, 0xff}, // behind the end
             {1, 1, 1, 2},                   // cut off
         }) {
        const Bytes frame = syn("192.0.2.1", options).build();
        EXPECT_EQ(clamp(frame, 1400), frame);
    }
}

TEST(MssClamp, AWrongChecksumStaysWrong) {
    Bytes frame = syn("192.0.2.1", {2, 4, 0x05, 0xb4}).build();
    frame[50] ^= 1U;
    Bytes expected = syn("192.0.2.1", {2, 4, 0x05, 0x78}).build();
    expected[50] ^= 1U;
    EXPECT_EQ(clamp(frame, 1400), expected);
}

} // namespace
} // namespace penstock
