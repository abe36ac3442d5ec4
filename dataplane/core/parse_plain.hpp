// SPDX-License-Identifier: Apache-2.0
// The short way through the parser, for what nearly all packets are: untagged TCP over IPv4 without
// options, or over IPv6 without extension headers, whole in one segment.
//
// It asks for everything that parse_packet() would check of such a packet, in fewer steps, and
// decides nothing else: whatever it does not take goes the long way, which names what is wrong. So
// it can only be faster, never more lenient (parse_plain_test.cpp holds the two equal).
//
// Thread rule: pure functions of the bytes.
#pragma once

#include "dataplane/core/headers.hpp"
#include "dataplane/core/parse.hpp"

#include <cstdint>

namespace penstock {

// Both: true if the packet is plain TCP over that family, `parsed` is untouched if not. REQUIRES: the
// frame holds plain_least_bytes, with the EtherType of that family.

inline constexpr std::uint32_t plain_least_bytes =
    sizeof(EthernetHeader) + sizeof(Ipv4Header) + sizeof(TcpHeader);

[[nodiscard]] inline bool parse_plain_ipv4(const Packet& packet, ParsedPacket& parsed) {
    const std::uint8_t* const l3 = packet.data + sizeof(EthernetHeader);
    const auto& ip = header_at<Ipv4Header>(l3);
    const auto& tcp = header_at<TcpHeader>(l3 + sizeof(Ipv4Header));
    // Version, header length and fragment at once: the first eight bytes, which the checksum wants too.
    constexpr auto fragmented =
        Be16::from_host(Ipv4Header::more_fragments | Ipv4Header::offset_mask);
    constexpr std::uint64_t looked_at = 0xffU | (std::uint64_t{fragmented.raw} << 48U);
    static_assert(offsetof(Ipv4Header, fragment) == 6);
    const auto first = read_header<std::uint64_t>(l3);
    const std::uint32_t l3_length = ip.total_length.host();
    const std::uint32_t tcp_length = (tcp.data_offset >> 4U) * 4U;
    const bool plain = (first & looked_at) == 0x45 && ip.protocol == protocol_tcp &&
                       l3_length <= packet.length - sizeof(EthernetHeader) &&
                       tcp.data_offset >= (sizeof(TcpHeader) / 4 << 4U) &&
                       l3_length >= sizeof(Ipv4Header) + tcp_length && has_right_checksum_ipv4(l3);
    if (!plain) {
        return false;
    }
    parsed = {
        .kind = PacketKind::ipv4,
        .l3 = sizeof(EthernetHeader),
        .protocol = protocol_tcp,
        .l4 = sizeof(EthernetHeader) + sizeof(Ipv4Header),
        .l3_length = static_cast<std::uint16_t>(l3_length),
        .tcp_flags = tcp.flags,
        .source_port = tcp.source_port,
        .destination_port = tcp.destination_port,
    };
    return true;
}

[[nodiscard]] inline bool parse_plain_ipv6(const Packet& packet, ParsedPacket& parsed) {
    constexpr std::uint32_t headers =
        sizeof(EthernetHeader) + sizeof(Ipv6Header) + sizeof(TcpHeader);
    const std::uint8_t* const l3 = packet.data + sizeof(EthernetHeader);
    if (packet.length < headers) {
        return false;
    }
    const auto& ip = header_at<Ipv6Header>(l3);
    const auto& tcp = header_at<TcpHeader>(l3 + sizeof(Ipv6Header));
    const std::uint32_t payload = ip.payload_length.host();
    const std::uint32_t tcp_length = (tcp.data_offset >> 4U) * 4U;
    const bool plain = l3[0] >> 4U == 6 && ip.next_header == protocol_tcp &&
                       payload <= packet.length - sizeof(EthernetHeader) - sizeof(Ipv6Header) &&
                       payload <= UINT16_MAX - sizeof(Ipv6Header) &&
                       tcp_length >= sizeof(TcpHeader) && payload >= tcp_length;
    if (!plain) {
        return false;
    }
    parsed = {
        .kind = PacketKind::ipv6,
        .l3 = sizeof(EthernetHeader),
        .protocol = protocol_tcp,
        .l4 = sizeof(EthernetHeader) + sizeof(Ipv6Header),
        .l3_length = static_cast<std::uint16_t>(payload + sizeof(Ipv6Header)),
        .tcp_flags = tcp.flags,
        .source_port = tcp.source_port,
        .destination_port = tcp.destination_port,
    };
    return true;
}

/// True if the packet is plain; `parsed` then holds what parse_any_packet() finds, and is untouched
/// otherwise.
[[nodiscard]] inline bool parse_plain_packet(const Packet& packet, ParsedPacket& parsed) {
    if (packet.length < plain_least_bytes) {
        return false;
    }
    const Be16 ethertype = header_at<EthernetHeader>(packet.data).ethertype;
    if (ethertype == ethertype_ipv4) [[likely]] {
        return parse_plain_ipv4(packet, parsed);
    }
    return ethertype == ethertype_ipv6 && parse_plain_ipv6(packet, parsed);
}

} // namespace penstock
