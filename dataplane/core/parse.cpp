// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/parse.hpp"

#include "dataplane/core/headers.hpp"
#include "dataplane/core/ipv6_extension.hpp"
#include "dataplane/core/parse_plain.hpp"

namespace penstock {
namespace {

constexpr unsigned max_vlan_tags = 2;

void refuse(ParsedPacket& parsed, DropReason reason) {
    parsed.kind = PacketKind::malformed;
    parsed.error = reason;
}

bool is_vlan(Be16 ethertype) {
    return ethertype == ethertype_vlan || ethertype == ethertype_qinq;
}

// `l4` bytes into the frame; `available` is where the layer-3 packet, or its contiguous part, ends.
void parse_layer4(const Packet& packet, std::uint32_t l3_end, ParsedPacket& parsed) {
    const std::uint32_t end = l3_end < packet.length ? l3_end : packet.length;
    const std::uint32_t room = end > parsed.l4 ? end - parsed.l4 : 0;
    const std::uint32_t payload = l3_end - parsed.l4; // may lie in later segments
    const std::uint8_t* const bytes = packet.data + parsed.l4;
    switch (parsed.protocol) {
    case protocol_tcp: {
        if (room < sizeof(TcpHeader)) {
            return refuse(parsed, DropReason::truncated_tcp);
        }
        const auto& tcp = header_at<TcpHeader>(bytes);
        const std::uint32_t header_length = (tcp.data_offset >> 4U) * 4U;
        if (header_length < sizeof(TcpHeader) || header_length > payload) {
            return refuse(parsed, DropReason::bad_tcp_header_length);
        }
        parsed.source_port = tcp.source_port;
        parsed.destination_port = tcp.destination_port;
        parsed.tcp_flags = tcp.flags;
        return;
    }
    case protocol_udp: {
        if (room < sizeof(UdpHeader)) {
            return refuse(parsed, DropReason::truncated_udp);
        }
        const auto& udp = header_at<UdpHeader>(bytes);
        // A first fragment's length is that of the whole datagram (RFC 791 3.2).
        const bool too_long = udp.length.host() > payload && !parsed.fragment;
        if (udp.length.host() < sizeof(UdpHeader) || too_long) {
            return refuse(parsed, DropReason::bad_udp_length);
        }
        parsed.source_port = udp.source_port;
        parsed.destination_port = udp.destination_port;
        return;
    }
    case protocol_icmp:
    case protocol_icmpv6:
        if (room < sizeof(IcmpHeader)) {
            refuse(parsed, DropReason::truncated_icmp);
        }
        return;
    default:
        return;
    }
}

void parse_ipv4(const Packet& packet, ParsedPacket& parsed) {
    const std::uint32_t available = packet.length - parsed.l3;
    if (available < sizeof(Ipv4Header)) {
        return refuse(parsed, DropReason::truncated_ipv4);
    }
    const std::uint8_t* const bytes = packet.data + parsed.l3;
    const auto& ip = header_at<Ipv4Header>(bytes);
    const std::uint32_t header_length = (ip.version_ihl & 0x0fU) * 4U;
    if (ip.version_ihl >> 4U != 4) {
        return refuse(parsed, DropReason::bad_ipv4_version);
    }
    if (header_length < sizeof(Ipv4Header)) {
        return refuse(parsed, DropReason::bad_ipv4_header_length);
    }
    if (header_length > available) {
        return refuse(parsed, DropReason::truncated_ipv4);
    }
    const std::uint32_t total_length = ip.total_length.host();
    if (total_length < header_length || total_length > packet.total_length - parsed.l3) {
        return refuse(parsed, DropReason::bad_ipv4_total_length);
    }
    // The common length apart: it takes a handful of additions.
    const bool is_right = header_length == sizeof(Ipv4Header)
                              ? has_right_checksum_ipv4(bytes)
                              : fold_checksum(add_to_checksum(0, {bytes, header_length})) == 0xffff;
    if (!is_right) {
        return refuse(parsed, DropReason::bad_ipv4_checksum);
    }
    parsed.kind = PacketKind::ipv4;
    parsed.protocol = ip.protocol;
    parsed.l4 = static_cast<std::uint16_t>(parsed.l3 + header_length);
    parsed.l3_length = static_cast<std::uint16_t>(total_length);
    const std::uint16_t fragment = ip.fragment.host();
    if ((fragment & (Ipv4Header::more_fragments | Ipv4Header::offset_mask)) != 0) [[unlikely]] {
        parsed.fragment = true;
        parsed.fragment_id = ip.id.raw;
        if ((fragment & Ipv4Header::offset_mask) != 0) {
            parsed.later_fragment = true;
            return; // no ports in it
        }
    }
    parse_layer4(packet, parsed.l3 + total_length, parsed);
}

void parse_ipv6(const Packet& packet, ParsedPacket& parsed) {
    if (packet.length - parsed.l3 < sizeof(Ipv6Header)) {
        return refuse(parsed, DropReason::truncated_ipv6);
    }
    const auto& ip = header_at<Ipv6Header>(packet.data + parsed.l3);
    if (ip.version_class_flow.host() >> 28U != 6) {
        return refuse(parsed, DropReason::bad_ipv6_version);
    }
    const std::uint32_t l3_length = sizeof(Ipv6Header) + ip.payload_length.host();
    // A payload length of 0 with hop-by-hop options would be a jumbogram (RFC 2675): larger than
    // any frame we can hold, and refused by the lack of what its headers promise.
    if (l3_length > packet.total_length - parsed.l3 || l3_length > UINT16_MAX) {
        return refuse(parsed, DropReason::bad_ipv6_payload_length);
    }
    const std::uint32_t l3_end = parsed.l3 + l3_length;
    const std::uint32_t end = l3_end < packet.length ? l3_end : packet.length;
    std::uint32_t offset = parsed.l3 + sizeof(Ipv6Header);
    std::uint8_t next = ip.next_header;
    parsed.kind = PacketKind::ipv6;
    parsed.l3_length = static_cast<std::uint16_t>(l3_length);
    for (unsigned count = 0; is_ipv6_extension(next); ++count) {
        if (count == max_ipv6_extensions) {
            return refuse(parsed, DropReason::too_many_ipv6_extensions);
        }
        const std::uint8_t* const bytes = packet.data + offset;
        const std::uint32_t length = ipv6_extension_length({bytes, end - offset}, next);
        if (length == 0) {
            return refuse(parsed, DropReason::truncated_ipv6_extension);
        }
        if (next == ipv6_fragment_header) {
            const auto field = read_header<Be16>(bytes + 2).host();
            parsed.fragment = parsed.fragment || (field & 0xfff9U) != 0; // offset or more
            parsed.fragment_id = read_header<Be32>(bytes + 4).raw;
            if ((field & 0xfff8U) != 0) {
                parsed.later_fragment = true;
                parsed.protocol = bytes[0];
                parsed.l4 = static_cast<std::uint16_t>(offset + length);
                return; // no ports in a later fragment
            }
        }
        next = bytes[0];
        offset += length;
    }
    parsed.protocol = next;
    parsed.l4 = static_cast<std::uint16_t>(offset);
    parse_layer4(packet, l3_end, parsed);
}

void parse_arp(const Packet& packet, ParsedPacket& parsed) {
    if (packet.length - parsed.l3 < sizeof(ArpPacket)) {
        return refuse(parsed, DropReason::truncated_arp);
    }
    parsed.kind = PacketKind::arp;
}

} // namespace

void parse_packet(const Packet& packet, ParsedPacket& parsed) {
    if (!parse_plain_packet(packet, parsed)) [[unlikely]] {
        parse_any_packet(packet, parsed);
    }
}

void parse_any_packet(const Packet& packet, ParsedPacket& parsed) {
    if (packet.length < sizeof(EthernetHeader)) {
        return refuse(parsed, DropReason::truncated_ethernet);
    }
    std::uint32_t offset = sizeof(EthernetHeader);
    Be16 ethertype = header_at<EthernetHeader>(packet.data).ethertype;
    for (unsigned tags = 0; is_vlan(ethertype); ++tags, offset += sizeof(VlanTag)) {
        if (tags == max_vlan_tags) {
            return refuse(parsed, DropReason::too_many_vlan_tags);
        }
        if (packet.length - offset < sizeof(VlanTag)) {
            return refuse(parsed, DropReason::truncated_vlan);
        }
        ethertype = header_at<VlanTag>(packet.data + offset).ethertype;
    }
    parsed.l3 = static_cast<std::uint8_t>(offset);
    if (ethertype == ethertype_ipv4) {
        return parse_ipv4(packet, parsed);
    }
    if (ethertype == ethertype_ipv6) {
        return parse_ipv6(packet, parsed);
    }
    if (ethertype == ethertype_arp) {
        return parse_arp(packet, parsed);
    }
    parsed.kind = PacketKind::other;
}

} // namespace penstock
