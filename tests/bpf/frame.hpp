// SPDX-License-Identifier: Apache-2.0
// Frames as tests write them down: from the inside out, every length and checksum right unless a
// test says otherwise afterwards.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/ip_prefix.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace penstock::bpf::test {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::uint16_t ether_ipv4 = 0x0800;
inline constexpr std::uint16_t ether_arp = 0x0806;
inline constexpr std::uint16_t ether_ipv6 = 0x86dd;
inline constexpr std::uint16_t ether_8021q = 0x8100;
inline constexpr std::uint16_t ether_8021ad = 0x88a8;

inline constexpr std::uint8_t protocol_icmp = 1;
inline constexpr std::uint8_t protocol_ipip = 4;
inline constexpr std::uint8_t protocol_tcp = 6;
inline constexpr std::uint8_t protocol_udp = 17;
inline constexpr std::uint8_t protocol_ipv6 = 41; ///< an IPv6 packet inside
inline constexpr std::uint8_t protocol_fragment = 44;
inline constexpr std::uint8_t protocol_gre = 47;
inline constexpr std::uint8_t protocol_icmpv6 = 58;

/// An address that the test itself writes: aborts the test run if it is none.
[[nodiscard]] IpAddress address(std::string_view text);

/// The same of a prefix, or an address alone.
[[nodiscard]] IpPrefix prefix(std::string_view text);

[[nodiscard]] Bytes join(const Bytes& left, const Bytes& right);

/// MACs are fixed: the destination ends in 01, the source in 02.
[[nodiscard]] Bytes ethernet(std::uint16_t ether_type, const Bytes& payload);

/// What stands between Ethernet's EtherType `tag_type` and the next one: put it into
/// ethernet(tag_type, …).
[[nodiscard]] Bytes vlan(std::uint16_t id, std::uint16_t ether_type, const Bytes& payload);

struct Ipv4 {
    std::string_view source = "192.0.2.7";
    std::string_view destination;
    std::uint8_t protocol = protocol_tcp;
    std::uint8_t tos = 0;
    std::uint16_t fragment = 0; ///< flags and offset as on the wire
    Bytes options{};            ///< a multiple of four bytes
};

[[nodiscard]] Bytes ipv4(const Ipv4& header, const Bytes& payload);

struct Ipv6 {
    std::string_view source = "2001:db8::7";
    std::string_view destination;
    std::uint8_t next_header = protocol_tcp;
    std::uint8_t traffic_class = 0;
};

[[nodiscard]] Bytes ipv6(const Ipv6& header, const Bytes& payload);

/// `traffic_class` of ipv6() or `tos` of ipv4(): whichever family `destination` is of.
[[nodiscard]] Bytes
ip(std::string_view source,
   std::string_view destination,
   std::uint8_t protocol,
   const Bytes& payload,
   std::uint8_t tos = 0);

/// Without a checksum.
[[nodiscard]] Bytes udp(std::uint16_t destination_port, const Bytes& payload);

/// The GRE header of `flags`, whose key (0x2000), sequence number (0x1000) and checksum (0x8000)
/// are filled in.
[[nodiscard]] Bytes gre(std::uint16_t flags, std::uint16_t ether_type, const Bytes& payload);

/// GUE variant 0. `first` is the whole first byte but the number of words of `optional`.
struct Gue {
    std::uint8_t first = 0;
    std::uint8_t protocol = protocol_ipip;
    std::uint16_t flags = 0;
    Bytes optional{}; ///< a multiple of four bytes
};

[[nodiscard]] Bytes gue(const Gue& header, const Bytes& payload);

/// An ICMP or ICMPv6 error (whose checksum is not filled in) that quotes `packet`.
[[nodiscard]] Bytes icmp_error(std::uint8_t type, std::uint8_t code, const Bytes& packet);

/// `operation` 1 asks, 2 answers.
[[nodiscard]] Bytes arp(std::uint16_t operation, std::string_view target);

/// The ICMPv6 message of `type` (135: solicitation, 136: advertisement) up to its target.
[[nodiscard]] Bytes neighbour_message(std::uint8_t type, std::string_view target);

/// Stands for any layer 4: 24 distinct bytes.
[[nodiscard]] Bytes payload();

} // namespace penstock::bpf::test
