// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/nat_rewrite.hpp"

#include "dataplane/core/checksum_change.hpp"
#include "dataplane/core/headers.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

namespace penstock {
namespace {

constexpr std::size_t ipv4_bytes = sizeof(Be32);
constexpr std::size_t ipv6_bytes = 16;
constexpr std::size_t tcp_checksum_offset = offsetof(TcpHeader, checksum);
constexpr std::size_t udp_checksum_offset = offsetof(UdpHeader, checksum);

void replace_bytes(
    std::uint8_t* place, const std::uint8_t* bytes, std::size_t count, ChecksumChange& change
) {
    change.remove({place, count});
    std::memcpy(place, bytes, count);
    change.add({place, count});
}

void replace_word(std::uint8_t* place, Be16 word, ChecksumChange& change) {
    change.replace(read_header<Be16>(place), word);
    write_header(place, word);
}

// The addresses of the IP header at `l3`, and IPv4's header checksum. `change` is what that does to
// a pseudo header.
void replace_addresses(
    std::uint8_t* l3, bool ipv4, const FlowTuple& tuple, ChecksumChange& change
) {
    if (!ipv4) {
        constexpr std::size_t source_offset = offsetof(Ipv6Header, source);
        replace_bytes(l3 + source_offset, tuple.source.bytes().data(), ipv6_bytes, change);
        constexpr std::size_t destination_offset = offsetof(Ipv6Header, destination);
        replace_bytes(
            l3 + destination_offset, tuple.destination.bytes().data(), ipv6_bytes, change
        );
        return;
    }
    const Be32 source = tuple.source.ipv4();
    const Be32 destination = tuple.destination.ipv4();
    ChecksumChange addresses;
    const auto bytes_of = [](const Be32& word) {
        return reinterpret_cast<const std::uint8_t*>(&word);
    };
    replace_bytes(l3 + offsetof(Ipv4Header, source), bytes_of(source), ipv4_bytes, addresses);
    replace_bytes(
        l3 + offsetof(Ipv4Header, destination), bytes_of(destination), ipv4_bytes, addresses
    );
    auto& ip = header_at<Ipv4Header>(l3);
    ip.checksum = addresses.apply(ip.checksum);
    change.add(addresses);
}

void replace_ports(std::uint8_t* l4, const FlowTuple& tuple, ChecksumChange& change) {
    replace_word(l4, tuple.source_port, change);
    replace_word(l4 + sizeof(Be16), tuple.destination_port, change);
}

std::size_t checksum_offset(std::uint8_t protocol) {
    return protocol == protocol_tcp ? tcp_checksum_offset : udp_checksum_offset;
}

void correct_checksum(std::uint8_t* place, std::uint8_t protocol, const ChecksumChange& change) {
    const auto old = read_header<Be16>(place);
    write_header(place, protocol == protocol_udp ? change.apply_udp(old) : change.apply(old));
}

} // namespace

void rewrite_tuple(const Packet& packet, const ParsedPacket& parsed, const FlowTuple& tuple) {
    ChecksumChange change;
    const bool ipv4 = parsed.kind == PacketKind::ipv4;
    replace_addresses(packet.data + parsed.l3, ipv4, tuple, change);
    if (parsed.later_fragment) {
        return;
    }
    std::uint8_t* const l4 = packet.data + parsed.l4;
    replace_ports(l4, tuple, change);
    correct_checksum(l4 + checksum_offset(parsed.protocol), parsed.protocol, change);
}

void rewrite_error(
    const Packet& packet,
    const ParsedPacket& parsed,
    const QuotedPacket& quoted,
    const FlowTuple& outer,
    const FlowTuple& inner
) {
    const bool ipv4 = parsed.kind == PacketKind::ipv4;
    std::uint8_t* const icmp = packet.data + parsed.l4;
    const std::uint32_t end = std::min(packet.length, std::uint32_t{parsed.l3} + parsed.l3_length);
    const std::span<std::uint8_t> message(icmp, end - parsed.l4);
    const auto quote = message.subspan(sizeof(IcmpHeader));
    // ICMP's own checksum covers all that changes below. What is replaced is taken out of it here
    // and put in again afterwards: the IP header and as much of layer 4 as can change.
    const std::size_t l4_checksum = quoted.l4 + checksum_offset(quoted.protocol);
    const bool has_checksum = quote.size() >= l4_checksum + sizeof(Be16);
    const std::size_t edited =
        has_checksum ? l4_checksum + sizeof(Be16) : quoted.l4 + (2 * sizeof(Be16));
    ChecksumChange covered;
    covered.remove(quote.first(edited));
    ChecksumChange pseudo;
    replace_addresses(quote.data(), ipv4, inner, pseudo);
    replace_ports(quote.data() + quoted.l4, inner, pseudo);
    if (has_checksum) {
        correct_checksum(quote.data() + l4_checksum, quoted.protocol, pseudo);
    }
    covered.add(quote.first(edited));
    ChecksumChange addresses;
    replace_addresses(packet.data + parsed.l3, ipv4, outer, addresses);
    if (!ipv4) {
        covered.add(addresses); // ICMPv6 has a pseudo header (RFC 4443 2.3)
    }
    auto& header = header_at<IcmpHeader>(icmp);
    header.checksum = covered.apply(header.checksum);
}

} // namespace penstock
