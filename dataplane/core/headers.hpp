// SPDX-License-Identifier: Apache-2.0
// Headers as they stand on the wire, and the checksum over them.
//
// Thread rule: plain layouts. Alignment is 1 (packed), because a frame's layer 3 begins at any
// offset.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/byte_order.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace penstock {

inline constexpr Be16 ethertype_ipv4 = Be16::from_host(0x0800);
inline constexpr Be16 ethertype_arp = Be16::from_host(0x0806);
inline constexpr Be16 ethertype_vlan = Be16::from_host(0x8100); ///< 802.1Q
inline constexpr Be16 ethertype_qinq = Be16::from_host(0x88a8); ///< 802.1ad
inline constexpr Be16 ethertype_ipv6 = Be16::from_host(0x86dd);

inline constexpr std::uint8_t protocol_icmp = 1;
inline constexpr std::uint8_t protocol_ipip = 4;
inline constexpr std::uint8_t protocol_tcp = 6;
inline constexpr std::uint8_t protocol_udp = 17;
inline constexpr std::uint8_t protocol_ipv6 = 41; ///< IPv6 in IP
inline constexpr std::uint8_t protocol_gre = 47;
inline constexpr std::uint8_t protocol_icmpv6 = 58;

#pragma pack(push, 1)

struct [[gnu::may_alias]] EthernetHeader {
    MacAddress destination;
    MacAddress source;
    Be16 ethertype;
};

struct [[gnu::may_alias]] VlanTag {
    Be16 control; ///< priority, drop eligible, VLAN id
    Be16 ethertype;
};

/// RFC 826 for IPv4 over Ethernet.
struct [[gnu::may_alias]] ArpPacket {
    Be16 hardware_type;
    Be16 protocol_type;
    std::uint8_t hardware_length;
    std::uint8_t protocol_length;
    Be16 operation;
    MacAddress sender_mac;
    Be32 sender_ip;
    MacAddress target_mac;
    Be32 target_ip;
};

/// RFC 791 3.1, without options.
struct [[gnu::may_alias]] Ipv4Header {
    std::uint8_t version_ihl;
    std::uint8_t tos;
    Be16 total_length;
    Be16 id;
    Be16 fragment; ///< flags and offset
    std::uint8_t ttl;
    std::uint8_t protocol;
    Be16 checksum;
    Be32 source;
    Be32 destination;

    static constexpr std::uint16_t dont_fragment = 0x4000;
    static constexpr std::uint16_t more_fragments = 0x2000;
    static constexpr std::uint16_t offset_mask = 0x1fff;
};

/// RFC 8200 3.
struct [[gnu::may_alias]] Ipv6Header {
    Be32 version_class_flow;
    Be16 payload_length;
    std::uint8_t next_header;
    std::uint8_t hop_limit;
    std::array<std::uint8_t, 16> source;
    std::array<std::uint8_t, 16> destination;
};

/// RFC 9293 3.1, without options.
struct [[gnu::may_alias]] TcpHeader {
    Be16 source_port;
    Be16 destination_port;
    Be32 sequence;
    Be32 acknowledgement;
    std::uint8_t data_offset; ///< high four bits, in words
    std::uint8_t flags;
    Be16 window;
    Be16 checksum;
    Be16 urgent;

    static constexpr std::uint8_t fin = 0x01;
    static constexpr std::uint8_t syn = 0x02;
    static constexpr std::uint8_t rst = 0x04;
    static constexpr std::uint8_t ack = 0x10;
};

/// RFC 768.
struct [[gnu::may_alias]] UdpHeader {
    Be16 source_port;
    Be16 destination_port;
    Be16 length;
    Be16 checksum;
};

/// RFC 2784 2, without the optional checksum.
struct [[gnu::may_alias]] GreHeader {
    Be16 flags_version;
    Be16 protocol_type; ///< an EtherType
};

/// RFC 792, RFC 4443: the part that every message has, then identifier and sequence of an echo; an
/// error has its MTU there: ICMPv4 in `sequence`, ICMPv6 in both as one word.
struct [[gnu::may_alias]] IcmpHeader {
    std::uint8_t type;
    std::uint8_t code;
    Be16 checksum;
    Be16 identifier;
    Be16 sequence;

    static constexpr std::uint8_t echo_reply = 0;
    static constexpr std::uint8_t unreachable = 3;
    static constexpr std::uint8_t fragmentation_needed = 4; ///< a code of `unreachable`
    static constexpr std::uint8_t echo_request = 8;
    static constexpr std::uint8_t time_exceeded = 11;
    static constexpr std::uint8_t parameter_problem = 12;

    // ICMPv6 (RFC 4443, RFC 4861)
    static constexpr std::uint8_t v6_unreachable = 1;
    static constexpr std::uint8_t v6_packet_too_big = 2;
    static constexpr std::uint8_t v6_parameter_problem = 4;
    static constexpr std::uint8_t v6_echo_request = 128;
    static constexpr std::uint8_t v6_echo_reply = 129;
    static constexpr std::uint8_t v6_neighbour_solicitation = 135;
    static constexpr std::uint8_t v6_neighbour_advertisement = 136;
};

#pragma pack(pop)

static_assert(sizeof(EthernetHeader) == 14 && sizeof(VlanTag) == 4 && sizeof(ArpPacket) == 28);
static_assert(sizeof(Ipv4Header) == 20 && sizeof(Ipv6Header) == 40);
static_assert(sizeof(GreHeader) == 4);
static_assert(sizeof(TcpHeader) == 20 && sizeof(UdpHeader) == 8 && sizeof(IcmpHeader) == 8);

/// A header in place. REQUIRES: sizeof(Header) bytes at `bytes`.
template <typename Header>
[[nodiscard]] const Header& header_at(const std::uint8_t* bytes) {
    static_assert(alignof(Header) == 1);
    return *reinterpret_cast<const Header*>(bytes);
}

template <typename Header>
[[nodiscard]] Header& header_at(std::uint8_t* bytes) {
    static_assert(alignof(Header) == 1);
    return *reinterpret_cast<Header*>(bytes);
}

/// Reads a copy of a header that may stand at any alignment. REQUIRES: sizeof(Header) bytes at
/// `bytes`.
template <typename Header>
[[nodiscard]] Header read_header(const std::uint8_t* bytes) {
    Header header;
    std::memcpy(&header, bytes, sizeof header);
    return header;
}

/// REQUIRES: sizeof(Header) bytes at `bytes`.
template <typename Header>
void write_header(std::uint8_t* bytes, const Header& header) {
    std::memcpy(bytes, &header, sizeof header);
}

// The Internet checksum (RFC 1071). Sums are of 16-bit words as they stand in memory: the one's
// complement sum does not care about byte order, so no word is swapped.

/// Adds the words of `bytes` to `sum`; an odd last byte counts as if a zero followed.
[[nodiscard]] inline std::uint64_t
add_to_checksum(std::uint64_t sum, std::span<const std::uint8_t> bytes) {
    std::size_t i = 0;
    for (; i + 4 <= bytes.size(); i += 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, bytes.data() + i, sizeof word);
        sum += word;
    }
    for (; i < bytes.size(); i += 2) {
        std::uint16_t word = 0;
        std::memcpy(&word, bytes.data() + i, i + 1 < bytes.size() ? 2 : 1);
        sum += word;
    }
    return sum;
}

/// Adds the pseudo-header of ICMPv6, TCP or UDP over IPv6 (RFC 8200 8.1). `addresses`: source and
/// destination, 32 bytes as they stand in the header.
[[nodiscard]] inline std::uint64_t add_pseudo_header_ipv6(
    std::uint64_t sum, const std::uint8_t* addresses, std::uint32_t length, std::uint8_t protocol
) {
    sum += Be32::from_host(length).raw;
    sum += Be32::from_host(protocol).raw;
    return add_to_checksum(sum, {addresses, std::size_t{32}});
}

/// The sum folded to 16 bits; 0xffff over data that holds its own checksum means it is right.
/// Adding a number to itself with its halves exchanged leaves the folded sum in the upper half: the
/// lower one's carry is the end-around one.
[[nodiscard]] constexpr std::uint16_t fold_checksum(std::uint64_t sum) {
    const std::uint64_t wide = sum + std::rotl(sum, 32);
    const auto half = static_cast<std::uint32_t>(wide >> 32U);
    return static_cast<std::uint16_t>((half + std::rotl(half, 16)) >> 16U);
}

/// True if an IPv4 header without options holds its own checksum. It asks whether 2^16 - 1 divides the
/// sum, which takes one multiplication, instead of folding that. REQUIRES: 20 bytes that are not all
/// zero, the one case in which the two answers differ.
[[nodiscard]] inline bool has_right_checksum_ipv4(const std::uint8_t* bytes) {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    std::uint32_t third = 0;
    std::memcpy(&first, bytes, sizeof first);
    std::memcpy(&second, bytes + 8, sizeof second);
    std::memcpy(&third, bytes + 16, sizeof third);
    // 2^64 is 1 modulo 2^16 - 1: what is carried out of the top comes back at the bottom.
    unsigned long long sum = 0;
    unsigned long long carry = __builtin_add_overflow(first, second, &sum) ? 1 : 0;
    sum += carry;
    carry = __builtin_add_overflow(sum, third, &sum) ? 1 : 0;
    sum += carry;
    return sum % 0xffff == 0;
}

/// What stands in the checksum field.
[[nodiscard]] constexpr Be16 finish_checksum(std::uint64_t sum) {
    return {static_cast<std::uint16_t>(~fold_checksum(sum))};
}

} // namespace penstock
