// SPDX-License-Identifier: Apache-2.0
// This file is long because every check of the parser is tried at every length and value.
#include "dataplane/core/parse.hpp"

#include "tests/unit/core/packet_builder.hpp"

#include <gtest/gtest.h>
#include <random>

namespace penstock {
namespace {

using test::arp_frame;
using test::Bytes;
using test::FrameBuffer;
using test::PacketBuilder;

constexpr std::size_t l3 = sizeof(EthernetHeader);
constexpr std::size_t l4 = l3 + sizeof(Ipv4Header);

ParsedPacket parse(const Bytes& frame) {
    const FrameBuffer buffer(frame, 0); // no headroom: ASan sees reads on both sides
    return parse_packet(buffer.packet);
}

DropReason error_of(const Bytes& frame) {
    const ParsedPacket parsed = parse(frame);
    EXPECT_EQ(parsed.kind, PacketKind::malformed);
    return parsed.error;
}

// The frame with its IPv4 header checksum made right again.
Bytes repaired(Bytes frame) {
    const std::size_t length = (frame[l3] & 0x0fU) * 4U;
    frame[l3 + 10] = 0;
    frame[l3 + 11] = 0;
    if (l3 + length <= frame.size()) {
        const std::uint16_t checksum = test::naive_checksum(std::span(frame).subspan(l3, length));
        frame[l3 + 10] = static_cast<std::uint8_t>(checksum >> 8U);
        frame[l3 + 11] = static_cast<std::uint8_t>(checksum & 0xffU);
    }
    return frame;
}

Bytes with_byte(Bytes frame, std::size_t at, unsigned value) {
    frame.at(at) = static_cast<std::uint8_t>(value);
    return frame;
}

TEST(ParseIpv4, FindsHeadersAndPorts) {
    const ParsedPacket parsed = parse(PacketBuilder::tcp()
                                          .from("192.0.2.1", 1234)
                                          .to("198.51.100.10", 443)
                                          .flags(TcpHeader::syn | TcpHeader::ack)
                                          .payload(10)
                                          .padding(6)
                                          .build());
    EXPECT_EQ(parsed.kind, PacketKind::ipv4);
    EXPECT_EQ(parsed.l3, 14);
    EXPECT_EQ(parsed.l4, 34);
    EXPECT_EQ(parsed.l3_length, 20 + 20 + 10); // padding does not count
    EXPECT_EQ(parsed.protocol, protocol_tcp);
    EXPECT_EQ(parsed.tcp_flags, TcpHeader::syn | TcpHeader::ack);
    EXPECT_EQ(parsed.source_port.host(), 1234);
    EXPECT_EQ(parsed.destination_port.host(), 443);
    EXPECT_FALSE(parsed.fragment);
}

TEST(ParseIpv4, RejectsEveryTruncation) {
    const Bytes whole = PacketBuilder::tcp().payload(5).build();
    for (std::size_t length = 0; length < whole.size(); ++length) {
        const DropReason reason =
            error_of({whole.begin(), whole.begin() + static_cast<long>(length)});
        const DropReason expected = length < l3   ? DropReason::truncated_ethernet
                                    : length < l4 ? DropReason::truncated_ipv4
                                                  : DropReason::bad_ipv4_total_length;
        EXPECT_EQ(reason, expected) << length;
    }
}

// The frame is whole, but the lengths inside it leave no room for the next header.
TEST(ParseIpv4, RejectsEveryTotalLengthThatCutsAHeader) {
    for (const auto& [builder, header, reason] :
         {std::tuple(PacketBuilder::tcp(), 20U, DropReason::truncated_tcp),
          std::tuple(PacketBuilder::udp(), 8U, DropReason::truncated_udp),
          std::tuple(PacketBuilder::icmp(), 8U, DropReason::truncated_icmp)}) {
        const Bytes whole = builder.build();
        for (unsigned total = 0; total < 20 + header; ++total) {
            const Bytes frame = repaired(with_byte(whole, l3 + 3, total));
            EXPECT_EQ(error_of(frame), total < 20 ? DropReason::bad_ipv4_total_length : reason)
                << total;
        }
    }
}

TEST(ParseIpv4, RejectsATotalLengthBeyondTheFrame) {
    const Bytes whole = PacketBuilder::udp().payload(4).build();
    EXPECT_EQ(
        error_of(repaired(with_byte(whole, l3 + 3, static_cast<unsigned>(whole.size() - l3 + 1)))),
        DropReason::bad_ipv4_total_length
    );
    EXPECT_EQ(
        error_of(repaired(with_byte(whole, l3 + 2, 0xff))), DropReason::bad_ipv4_total_length
    );
}

TEST(ParseIpv4, RejectsLyingVersionsAndHeaderLengths) {
    const Bytes whole = PacketBuilder::tcp().payload(40).build();
    for (unsigned version = 0; version < 16; ++version) {
        const Bytes frame = repaired(with_byte(whole, l3, (version << 4U) | 5U));
        if (version == 4) {
            EXPECT_EQ(parse(frame).kind, PacketKind::ipv4);
        } else {
            EXPECT_EQ(error_of(frame), DropReason::bad_ipv4_version) << version;
        }
    }
    for (unsigned words = 0; words < 5; ++words) {
        EXPECT_EQ(
            error_of(repaired(with_byte(whole, l3, 0x40U | words))),
            DropReason::bad_ipv4_header_length
        );
    }
    // 60 bytes of header in a packet of 40.
    const Bytes small = PacketBuilder::tcp().build();
    EXPECT_EQ(error_of(with_byte(small, l3, 0x4f)), DropReason::truncated_ipv4);
    // … and in a frame that has them, but a packet that has not.
    const Bytes padded = PacketBuilder::tcp().padding(60).build();
    EXPECT_EQ(error_of(repaired(with_byte(padded, l3, 0x4f))), DropReason::bad_ipv4_total_length);
}

TEST(ParseIpv4, RejectsEveryFlippedBitOfTheHeader) {
    const Bytes whole = PacketBuilder::tcp().options(Bytes(12, 1)).build();
    for (std::size_t bit = 0; bit < 32U * 8U; ++bit) {
        Bytes frame = whole;
        frame[l3 + (bit / 8)] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        EXPECT_EQ(parse(frame).kind, PacketKind::malformed) << bit;
    }
    Bytes frame = whole;
    frame[l3 + 8] ^= 1U; // TTL: nothing but the checksum can tell
    EXPECT_EQ(error_of(frame), DropReason::bad_ipv4_checksum);
}

TEST(ParseIpv4, StepsOverOptionsOfEveryLength) {
    for (std::size_t words = 0; words <= 10; ++words) {
        const ParsedPacket parsed =
            parse(PacketBuilder::tcp().to("198.51.100.10", 81).options(Bytes(words * 4, 1)).build()
            );
        EXPECT_EQ(parsed.kind, PacketKind::ipv4);
        EXPECT_EQ(parsed.l4, l4 + (words * 4));
        EXPECT_EQ(parsed.destination_port.host(), 81);
    }
}

TEST(ParseIpv4, KnowsFragments) {
    EXPECT_FALSE(parse(PacketBuilder::udp().dont_fragment().build()).fragment);
    const ParsedPacket first = parse(PacketBuilder::udp().fragment(0, true).payload(8).build());
    EXPECT_TRUE(first.fragment);
    EXPECT_EQ(first.destination_port.host(), 80);
    for (const bool more : {true, false}) {
        // Whatever a later fragment begins with is no header, however short.
        const ParsedPacket later =
            parse(PacketBuilder::ip_protocol(protocol_icmp).fragment(185, more).payload(3).build());
        EXPECT_EQ(later.kind, PacketKind::ipv4);
        EXPECT_TRUE(later.fragment);
        EXPECT_EQ(later.destination_port.raw, 0);
    }
}

TEST(ParseIpv4, TakesAFirstFragmentsUdpLengthForTheWholeDatagrams) {
    const Bytes whole = PacketBuilder::udp().fragment(0, true).payload(8).build();
    EXPECT_EQ(parse(with_byte(whole, l4 + 4, 0x20)).kind, PacketKind::ipv4);
    const Bytes lone = PacketBuilder::udp().payload(8).build();
    EXPECT_EQ(error_of(with_byte(lone, l4 + 4, 0x20)), DropReason::bad_udp_length);
}

TEST(ParseTcp, ChecksTheDataOffset) {
    const Bytes whole = PacketBuilder::tcp().payload(20).build();
    for (unsigned words = 0; words < 16; ++words) {
        const Bytes frame = with_byte(whole, l4 + 12, words << 4U);
        if (words >= 5 && words <= 10) {
            EXPECT_EQ(parse(frame).kind, PacketKind::ipv4) << words;
        } else {
            EXPECT_EQ(error_of(frame), DropReason::bad_tcp_header_length) << words;
        }
    }
}

TEST(ParseUdp, ChecksTheLength) {
    const Bytes whole = PacketBuilder::udp().payload(4).build();
    for (unsigned length = 0; length < 256; ++length) {
        const Bytes frame = with_byte(whole, l4 + 5, length);
        if (length >= 8 && length <= 12) {
            EXPECT_EQ(parse(frame).kind, PacketKind::ipv4) << length;
        } else {
            EXPECT_EQ(error_of(frame), DropReason::bad_udp_length) << length;
        }
    }
}

TEST(ParseIpv4, LeavesOtherProtocolsAlone) {
    for (const unsigned protocol : {0U, 2U, 4U, 41U, 47U, 50U, 132U, 255U}) {
        const ParsedPacket parsed =
            parse(PacketBuilder::ip_protocol(static_cast<std::uint8_t>(protocol)).build());
        EXPECT_EQ(parsed.kind, PacketKind::ipv4) << protocol;
        EXPECT_EQ(parsed.protocol, protocol);
        EXPECT_EQ(parsed.destination_port.raw, 0);
    }
}

TEST(ParseVlan, StepsOverTwoTags) {
    EXPECT_EQ(parse(PacketBuilder::tcp().vlan(7).build()).l3, 18);
    const ParsedPacket two = parse(PacketBuilder::tcp().vlan(100, ethertype_qinq).vlan(7).build());
    EXPECT_EQ(two.kind, PacketKind::ipv4);
    EXPECT_EQ(two.l3, 22);
    EXPECT_EQ(two.l4, 42);
    EXPECT_EQ(two.destination_port.host(), 80);
    EXPECT_EQ(
        error_of(PacketBuilder::tcp().vlan(1).vlan(2).vlan(3).build()),
        DropReason::too_many_vlan_tags
    );
}

TEST(ParseVlan, RejectsEveryTruncation) {
    const Bytes whole = PacketBuilder::tcp().vlan(100, ethertype_qinq).vlan(7).build();
    for (std::size_t length = l3; length < l3 + 8; ++length) {
        EXPECT_EQ(
            error_of({whole.begin(), whole.begin() + static_cast<long>(length)}),
            DropReason::truncated_vlan
        ) << length;
    }
}

PacketBuilder ipv6(PacketBuilder builder) {
    return builder.from("2001:db8::1", 1234).to("2001:db8::10", 443);
}

TEST(ParseIpv6, FindsHeadersAndPorts) {
    const ParsedPacket parsed = parse(ipv6(PacketBuilder::tcp()).payload(10).padding(3).build());
    EXPECT_EQ(parsed.kind, PacketKind::ipv6);
    EXPECT_EQ(parsed.l3, 14);
    EXPECT_EQ(parsed.l4, 54);
    EXPECT_EQ(parsed.l3_length, 40 + 20 + 10);
    EXPECT_EQ(parsed.protocol, protocol_tcp);
    EXPECT_EQ(parsed.source_port.host(), 1234);
    EXPECT_EQ(parsed.destination_port.host(), 443);
}

TEST(ParseIpv6, RejectsEveryTruncationAndVersion) {
    const Bytes whole = ipv6(PacketBuilder::udp()).payload(5).build();
    for (std::size_t length = l3; length < whole.size(); ++length) {
        EXPECT_EQ(
            error_of({whole.begin(), whole.begin() + static_cast<long>(length)}),
            length < l3 + 40 ? DropReason::truncated_ipv6 : DropReason::bad_ipv6_payload_length
        ) << length;
    }
    for (unsigned version = 0; version < 16; ++version) {
        const ParsedPacket parsed = parse(with_byte(whole, l3, version << 4U));
        EXPECT_EQ(parsed.kind == PacketKind::ipv6, version == 6) << version;
    }
}

TEST(ParseIpv6, RejectsEveryPayloadLengthThatCutsAHeader) {
    const Bytes whole = ipv6(PacketBuilder::tcp()).build();
    for (unsigned length = 0; length < 20; ++length) {
        EXPECT_EQ(error_of(with_byte(whole, l3 + 5, length)), DropReason::truncated_tcp) << length;
    }
    EXPECT_EQ(error_of(with_byte(whole, l3 + 5, 21)), DropReason::bad_ipv6_payload_length);
    EXPECT_EQ(error_of(with_byte(whole, l3 + 4, 0xff)), DropReason::bad_ipv6_payload_length);
}

TEST(ParseIpv6, StepsOverExtensions) {
    const ParsedPacket parsed = parse(ipv6(PacketBuilder::tcp())
                                          .extension(0, Bytes(7)) // hop by hop
                                          .extension(
                                              60,
                                              {1,
                                               0,
                                               0,
                                               0,
                                               0,
                                               0,
                                               0,
                                               0,
                                               0, // 16 bytes
                                               0,
                                               0,
                                               0,
                                               0,
                                               0,
                                               0}
                                          )
                                          .extension(51, {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) // 12
                                          .extension(44, Bytes(7)) // atomic fragment, RFC 6946
                                          .build());
    EXPECT_EQ(parsed.kind, PacketKind::ipv6);
    EXPECT_EQ(parsed.l4, 54 + 8 + 16 + 12 + 8);
    EXPECT_EQ(parsed.protocol, protocol_tcp);
    EXPECT_EQ(parsed.destination_port.host(), 443);
    EXPECT_FALSE(parsed.fragment) << "an atomic fragment is whole";
}

TEST(ParseIpv6, TakesEightExtensionsAndNoMore) {
    PacketBuilder builder = ipv6(PacketBuilder::tcp());
    for (int i = 0; i < 8; ++i) {
        builder.extension(60, Bytes(7));
    }
    EXPECT_EQ(parse(builder.build()).kind, PacketKind::ipv6);
    builder.extension(60, Bytes(7));
    EXPECT_EQ(error_of(builder.build()), DropReason::too_many_ipv6_extensions);
}

TEST(ParseIpv6, RejectsEveryExtensionThatPromisesTooMuch) {
    for (const unsigned type : {0U, 43U, 51U, 60U, 135U, 139U, 140U}) {
        const Bytes whole =
            ipv6(PacketBuilder::tcp()).extension(static_cast<std::uint8_t>(type), Bytes(7)).build();
        for (unsigned length = 4; length < 256; ++length) {
            EXPECT_EQ(
                error_of(with_byte(
                    whole, l3 + 41, type == 51 ? length + 8 > 255 ? 255 : length + 8 : length
                )),
                DropReason::truncated_ipv6_extension
            ) << type
              << ' ' << length;
        }
    }
    // A header that begins where the packet ends.
    const Bytes bare = ipv6(PacketBuilder::ip_protocol(43)).build();
    EXPECT_EQ(error_of(bare), DropReason::truncated_ipv6_extension);
}

TEST(ParseIpv6, KnowsFragments) {
    const auto fragment = [](unsigned high, unsigned low) {
        return Bytes{
            0, static_cast<std::uint8_t>(high), static_cast<std::uint8_t>(low), 0, 0, 0, 1
        };
    };
    const ParsedPacket first =
        parse(ipv6(PacketBuilder::tcp()).extension(44, fragment(0, 1)).build());
    EXPECT_TRUE(first.fragment);
    EXPECT_EQ(first.destination_port.host(), 443);
    const ParsedPacket later =
        parse(ipv6(PacketBuilder::tcp()).extension(44, fragment(0, 8)).build());
    EXPECT_TRUE(later.fragment);
    EXPECT_EQ(later.protocol, protocol_tcp);
    EXPECT_EQ(later.destination_port.raw, 0);
}

TEST(ParseArp, WantsAWholePacket) {
    const Bytes whole = arp_frame(1, "192.0.2.1", "198.51.100.10");
    EXPECT_EQ(parse(whole).kind, PacketKind::arp);
    for (std::size_t length = l3; length < whole.size(); ++length) {
        EXPECT_EQ(
            error_of({whole.begin(), whole.begin() + static_cast<long>(length)}),
            DropReason::truncated_arp
        ) << length;
    }
}

TEST(ParseEthernet, LeavesOtherTypesAlone) {
    Bytes frame(60, 0);
    for (const unsigned type : {0x0026U, 0x88ccU, 0x8847U, 0xffffU}) { // LLC length, LLDP, MPLS
        frame[12] = static_cast<std::uint8_t>(type >> 8U);
        frame[13] = static_cast<std::uint8_t>(type & 0xffU);
        EXPECT_EQ(parse(frame).kind, PacketKind::other) << type;
    }
}

// A frame in several segments: headers must be in the first, the payload need not.
TEST(ParseSegments, HeadersMustBeContiguous) {
    const Bytes whole = PacketBuilder::tcp().payload(100).build();
    for (std::size_t contiguous = 0; contiguous <= whole.size(); ++contiguous) {
        const FrameBuffer buffer{std::span(whole).first(contiguous), 0};
        Packet packet = buffer.packet;
        packet.total_length = static_cast<std::uint32_t>(whole.size());
        const ParsedPacket parsed = parse_packet(packet);
        EXPECT_EQ(parsed.kind == PacketKind::ipv4, contiguous >= l4 + 20) << contiguous;
    }
}

// What the header promises, for arbitrary bytes near real packets.
TEST(ParseProperty, OffsetsLieInsideWithWholeHeaders) {
    std::mt19937 random(1);
    const std::array<Bytes, 6> seeds{
        PacketBuilder::tcp().options(Bytes(8, 1)).payload(30).build(),
        PacketBuilder::udp().vlan(5).payload(30).build(),
        PacketBuilder::icmp().payload(30).build(),
        ipv6(PacketBuilder::tcp()).extension(0, Bytes(7)).extension(44, Bytes(7)).build(),
        ipv6(PacketBuilder::udp()).vlan(1).vlan(2).extension(51, Bytes(11)).payload(20).build(),
        arp_frame(1, "192.0.2.1", "198.51.100.10"),
    };
    std::size_t accepted = 0;
    for (int i = 0; i < 300000; ++i) {
        Bytes frame = seeds[random() % seeds.size()];
        for (std::size_t changes = random() % 4; changes > 0; --changes) {
            frame[random() % frame.size()] = static_cast<std::uint8_t>(random());
        }
        frame.resize(random() % 4 == 0 ? random() % (frame.size() + 1) : frame.size());
        if (frame.size() > l3 + 20 && frame[12] == 8 && frame[13] == 0) {
            frame = repaired(frame);
        }
        const ParsedPacket parsed = parse(frame);
        if (parsed.kind != PacketKind::ipv4 && parsed.kind != PacketKind::ipv6) {
            continue;
        }
        ++accepted;
        const bool later = parsed.fragment && parsed.destination_port.raw == 0;
        const std::size_t header = later                              ? 0
                                   : parsed.protocol == protocol_tcp  ? sizeof(TcpHeader)
                                   : parsed.protocol == protocol_udp  ? sizeof(UdpHeader)
                                   : parsed.protocol == protocol_icmp ? sizeof(IcmpHeader)
                                                                      : 0;
        ASSERT_LE(parsed.l3 + parsed.l3_length, frame.size());
        ASSERT_LE(parsed.l4 + header, std::size_t{parsed.l3} + parsed.l3_length);
    }
    EXPECT_GT(accepted, 50000U) << "the property was hardly tried";
}

} // namespace
} // namespace penstock
