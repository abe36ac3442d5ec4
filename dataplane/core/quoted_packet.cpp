// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/quoted_packet.hpp"

#include "dataplane/core/headers.hpp"
#include "dataplane/core/ipv6_extension.hpp"

namespace penstock {
namespace {

// True if all that is wanted of layer 4 is there.
bool read_ports(std::span<const std::uint8_t> quoted, QuotedPacket& packet) {
    if (packet.protocol != protocol_tcp && packet.protocol != protocol_udp) {
        return true;
    }
    if (quoted.size() < packet.l4 + 2 * sizeof(Be16)) {
        return false;
    }
    packet.source_port = read_header<Be16>(quoted.data() + packet.l4);
    packet.destination_port = read_header<Be16>(quoted.data() + packet.l4 + sizeof(Be16));
    return true;
}

std::optional<QuotedPacket> parse_quoted_ipv4(std::span<const std::uint8_t> quoted) {
    if (quoted.size() < sizeof(Ipv4Header)) {
        return std::nullopt;
    }
    const auto& ip = header_at<Ipv4Header>(quoted.data());
    const std::uint32_t header_length = (ip.version_ihl & 0x0fU) * 4U;
    if (ip.version_ihl >> 4U != 4 || header_length < sizeof(Ipv4Header) ||
        header_length > quoted.size() || (ip.fragment.host() & Ipv4Header::offset_mask) != 0) {
        return std::nullopt;
    }
    QuotedPacket packet{
        .source = IpAddress::from_ipv4(ip.source),
        .destination = IpAddress::from_ipv4(ip.destination),
        .protocol = ip.protocol,
        .l4 = header_length,
    };
    return read_ports(quoted, packet) ? std::optional(packet) : std::nullopt;
}

std::optional<QuotedPacket> parse_quoted_ipv6(std::span<const std::uint8_t> quoted) {
    if (quoted.size() < sizeof(Ipv6Header)) {
        return std::nullopt;
    }
    const auto& ip = header_at<Ipv6Header>(quoted.data());
    if (ip.version_class_flow.host() >> 28U != 6) {
        return std::nullopt;
    }
    QuotedPacket packet{
        .source = IpAddress::from_ipv6(ip.source),
        .destination = IpAddress::from_ipv6(ip.destination),
        .protocol = ip.next_header,
        .l4 = sizeof(Ipv6Header),
    };
    for (unsigned count = 0; is_ipv6_extension(packet.protocol); ++count) {
        const auto rest = quoted.subspan(packet.l4);
        const std::uint32_t length = ipv6_extension_length(rest, packet.protocol);
        if (length == 0 || count == max_ipv6_extensions) {
            return std::nullopt;
        }
        if (packet.protocol == ipv6_fragment_header &&
            (read_header<Be16>(rest.data() + 2).host() & 0xfff8U) != 0) {
            return std::nullopt;
        }
        packet.protocol = rest[0];
        packet.l4 += length;
    }
    return read_ports(quoted, packet) ? std::optional(packet) : std::nullopt;
}

} // namespace

std::optional<QuotedPacket> parse_quoted(std::span<const std::uint8_t> quoted, Family family) {
    return family == Family::ipv4 ? parse_quoted_ipv4(quoted) : parse_quoted_ipv6(quoted);
}

bool is_icmpv4_error(std::uint8_t type) {
    return type == IcmpHeader::unreachable || type == IcmpHeader::time_exceeded ||
           type == IcmpHeader::parameter_problem;
}

bool is_icmpv6_error(std::uint8_t type) {
    return type >= IcmpHeader::v6_unreachable && type <= IcmpHeader::v6_parameter_problem;
}

} // namespace penstock
