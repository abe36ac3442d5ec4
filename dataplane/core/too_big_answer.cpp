// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/too_big_answer.hpp"

#include "dataplane/core/headers.hpp"
#include "dataplane/core/path_mtu.hpp"
#include "dataplane/core/quoted_packet.hpp"
#include "dataplane/core/turn_around.hpp"

#include <algorithm>
#include <utility>

namespace penstock {
namespace {

constexpr std::uint32_t most_bytes_ipv4 = 576;  // RFC 1812 4.3.2.3
constexpr std::uint32_t most_bytes_ipv6 = 1280; // RFC 4443 3.2
constexpr std::uint8_t message_ttl = 64;
constexpr std::uint16_t least_mtu_ipv6 = PathMtuTable::least_ipv6;

// Writes the message's headers before `quoted`. The quoted bytes begin there and are not moved.
void write_ipv4(std::uint8_t* quoted, std::uint32_t length, std::uint16_t mtu) {
    const auto& original = header_at<Ipv4Header>(quoted);
    std::uint8_t* const icmp_bytes = quoted - sizeof(IcmpHeader);
    std::uint8_t* const ip_bytes = icmp_bytes - sizeof(Ipv4Header);
    const auto total = static_cast<std::uint32_t>(quoted - ip_bytes) + length;
    Ipv4Header ip{
        .version_ihl = 0x45,
        .tos = 0,
        .total_length = Be16::from_host(static_cast<std::uint16_t>(total)),
        .id = {0},
        .fragment = Be16::from_host(Ipv4Header::dont_fragment),
        .ttl = message_ttl,
        .protocol = protocol_icmp,
        .checksum = {0},
        .source = original.destination,
        .destination = original.source,
    };
    write_header(ip_bytes, ip);
    ip.checksum = finish_checksum(add_to_checksum(0, {ip_bytes, sizeof ip}));
    write_header(ip_bytes, ip);
    IcmpHeader icmp{
        .type = IcmpHeader::unreachable,
        .code = IcmpHeader::fragmentation_needed,
        .checksum = {0},
        .identifier = {0},
        .sequence = Be16::from_host(mtu),
    };
    write_header(icmp_bytes, icmp);
    icmp.checksum = finish_checksum(add_to_checksum(0, {icmp_bytes, sizeof icmp + length}));
    write_header(icmp_bytes, icmp);
}

void write_ipv6(std::uint8_t* quoted, std::uint32_t length, std::uint16_t mtu) {
    const auto& original = header_at<Ipv6Header>(quoted);
    std::uint8_t* const icmp_bytes = quoted - sizeof(IcmpHeader);
    std::uint8_t* const ip_bytes = icmp_bytes - sizeof(Ipv6Header);
    const auto payload = static_cast<std::uint32_t>(sizeof(IcmpHeader)) + length;
    const Ipv6Header ip{
        .version_class_flow = Be32::from_host(std::uint32_t{6} << 28U),
        .payload_length = Be16::from_host(static_cast<std::uint16_t>(payload)),
        .next_header = protocol_icmpv6,
        .hop_limit = message_ttl,
        .source = original.destination,
        .destination = original.source,
    };
    write_header(ip_bytes, ip);
    IcmpHeader icmp{
        .type = IcmpHeader::v6_packet_too_big,
        .code = 0,
        .checksum = {0},
        .identifier = {0}, // the upper half of a 32-bit MTU
        .sequence = Be16::from_host(mtu),
    };
    write_header(icmp_bytes, icmp);
    const std::uint64_t pseudo = add_pseudo_header_ipv6(
        0, ip_bytes + offsetof(Ipv6Header, source), payload, protocol_icmpv6
    );
    icmp.checksum = finish_checksum(add_to_checksum(pseudo, {icmp_bytes, payload}));
    write_header(icmp_bytes, icmp);
}

std::pair<IpAddress, IpAddress> addresses_of(const std::uint8_t* bytes, Family family) {
    if (family == Family::ipv4) {
        const auto& ip = header_at<Ipv4Header>(bytes);
        return {IpAddress::from_ipv4(ip.source), IpAddress::from_ipv4(ip.destination)};
    }
    const auto& ip = header_at<Ipv6Header>(bytes);
    return {IpAddress::from_ipv6(ip.source), IpAddress::from_ipv6(ip.destination)};
}

bool may_be_told(const Packet& packet, const ParsedPacket& parsed) {
    const bool ipv4 = parsed.kind == PacketKind::ipv4;
    if (ipv4 ? parsed.later_fragment : parsed.l3_length <= least_mtu_ipv6) {
        return false;
    }
    if (parsed.later_fragment || parsed.protocol != (ipv4 ? protocol_icmp : protocol_icmpv6)) {
        return true;
    }
    const std::uint8_t type = header_at<IcmpHeader>(packet.data + parsed.l4).type;
    return !(ipv4 ? is_icmpv4_error(type) : is_icmpv6_error(type));
}

} // namespace

Verdict answer_quoted_too_big(
    Packet& packet,
    std::uint8_t l3,
    std::uint8_t* quoted,
    std::uint32_t length,
    Family family,
    const PortFacts& port,
    std::uint16_t mtu
) {
    const auto [source, destination] = addresses_of(quoted, family);
    if (!can_be_answered(packet, source, destination)) {
        return drop(DropReason::bad_reply_target);
    }
    const bool ipv4 = family == Family::ipv4;
    const auto headers = static_cast<std::uint32_t>(
        sizeof(IcmpHeader) + (ipv4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header))
    );
    length = std::min(length, (ipv4 ? most_bytes_ipv4 : most_bytes_ipv6) - headers);
    // Layer 2 first: the message's headers may take its place.
    rebuild_frame(packet, l3, quoted - headers, headers + length);
    // Around a packet of one family there may have been a tunnel over the other.
    write_header(packet.data + l3 - sizeof(Be16), ipv4 ? ethertype_ipv4 : ethertype_ipv6);
    if (ipv4) {
        write_ipv4(quoted, length, mtu);
    } else {
        write_ipv6(quoted, length, std::max(mtu, least_mtu_ipv6));
    }
    return turn_around(packet, port);
}

Verdict decide_too_big(
    Packet& packet,
    const ParsedPacket& parsed,
    const PortFacts& port,
    std::uint16_t mtu,
    ReplyBudget& budget,
    CoarseTime now
) {
    constexpr std::uint32_t message_headers = sizeof(Ipv6Header) + sizeof(IcmpHeader);
    const bool has_room =
        packet.headroom >= message_headers && packet.length > parsed.l3 + message_headers;
    if (!has_room || !may_be_told(packet, parsed) || !budget.take(now)) {
        return drop(DropReason::too_big);
    }
    const std::uint32_t end = std::uint32_t{parsed.l3} + parsed.l3_length;
    const Family family = parsed.kind == PacketKind::ipv4 ? Family::ipv4 : Family::ipv6;
    return answer_quoted_too_big(
        packet,
        parsed.l3,
        packet.data + parsed.l3,
        std::min(end, packet.length) - parsed.l3,
        family,
        port,
        mtu
    );
}

} // namespace penstock
