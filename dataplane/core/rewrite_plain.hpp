// SPDX-License-Identifier: Apache-2.0
// The short ways through the rewrite, for what most packets of a tunnelled service are: untagged IPv4
// into IPv4 and IPv6 into IPv6, from one source address.
//
// They write what rewrite_for_backend() would (rewrite_test.cpp holds them equal), inlined and in whole
// words, none of which is read back.
//
// Thread rule: pure edits of one packet.
#pragma once

#include "dataplane/core/checksum_change.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/core/next_hop.hpp"
#include "dataplane/core/outer_header.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/port_facts.hpp"
#include "dataplane/core/snapshot.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace penstock {

/// True if rewrite_plain_ipip() can send the packet.
[[nodiscard]] inline bool
is_plain_ipip(const Packet& packet, const ParsedPacket& parsed, const BackendEntry& backend) {
    return backend.plain_ipip && parsed.l3 == sizeof(EthernetHeader) &&
           packet.headroom >= sizeof(Ipv4Header);
}

/// True if the packet needs nothing but write_ethernet_addresses().
[[nodiscard]] inline bool is_plain_l2dsr(const BackendEntry& backend) {
    return backend.rewrite == Rewrite::mac_only;
}

/// Destination and source of a frame: twelve bytes in two stores. `hop` is not 0.
inline void
write_ethernet_addresses(std::uint8_t* frame, std::uint64_t hop, const MacAddress& source_mac) {
    static_assert(std::endian::native == std::endian::little && sizeof(MacAddress) == 6);
    std::uint16_t source_begin = 0;
    std::memcpy(&source_begin, source_mac.bytes.data(), sizeof source_begin);
    const std::uint64_t addresses =
        (hop & 0x0000ffff'ffffffffULL) | (std::uint64_t{source_begin} << 48U);
    std::memcpy(frame, &addresses, sizeof addresses);
    std::memcpy(frame + 8, source_mac.bytes.data() + 2, 4);
}

/// A whole Ethernet header: fourteen bytes in two stores that overlap.
inline void write_ethernet_header(
    std::uint8_t* frame, std::uint64_t hop, const PortFacts& port, Be16 ethertype
) {
    static_assert(offsetof(PortFacts, mac) == 0 && sizeof(PortFacts) == 8);
    std::uint64_t source = 0;
    std::memcpy(&source, &port, sizeof source);
    source = (source & 0x0000ffff'ffffffffULL) | (std::uint64_t{ethertype.raw} << 48U);
    std::memcpy(frame, &hop, sizeof hop);
    std::memcpy(frame + sizeof(MacAddress), &source, sizeof source);
}

/// rewrite_for_backend() for such a packet. REQUIRES: is_plain_ipip().
inline void rewrite_plain_ipip(
    Packet& packet,
    const ParsedPacket& parsed,
    const BackendEntry& backend,
    std::uint64_t hop,
    const PortFacts& port
) {
    constexpr std::uint16_t added = sizeof(Ipv4Header);
    const std::uint8_t* const from = backend.outer.data();
    std::uint8_t* const frame = packet.data - added;
    std::uint8_t* const outer = frame + sizeof(EthernetHeader);
    // As words of the header in memory: TOS is the second byte of its word.
    const std::uint32_t tos = std::uint32_t{header_at<Ipv4Header>(outer + added).tos} << 8U;
    const Be16 length = Be16::from_host(static_cast<std::uint16_t>(parsed.l3_length + added));
    // As finish_ipv4() in outer_header.cpp: the template's sum has zeros in these places.
    const Be16 checksum = finish_checksum(std::uint32_t{backend.checksum_base} + tos + length.raw);
    std::uint32_t begin = 0;  // version, header length, TOS, total length
    std::uint64_t middle = 0; // id, fragment, TTL, protocol, checksum
    std::memcpy(&begin, from, sizeof begin);
    std::memcpy(&middle, from + 4, sizeof middle);
    begin |= tos | (std::uint32_t{length.raw} << 16U);
    middle |= std::uint64_t{checksum.raw} << 48U;
    std::memcpy(outer, &begin, sizeof begin);
    std::memcpy(outer + 4, &middle, sizeof middle);
    std::memcpy(outer + 12, from + 12, 8);
    write_ethernet_header(frame, hop, port, ethertype_ipv4);
    prepend(packet, added);
}

/// True if rewrite_plain_ipip6() can send the packet.
[[nodiscard]] inline bool
is_plain_ipip6(const Packet& packet, const ParsedPacket& parsed, const BackendEntry& backend) {
    return backend.plain_ipip6 && parsed.l3 == sizeof(EthernetHeader) &&
           packet.headroom >= sizeof(Ipv6Header);
}

/// rewrite_for_backend() for such a packet. REQUIRES: is_plain_ipip6().
inline void rewrite_plain_ipip6(
    Packet& packet,
    const ParsedPacket& parsed,
    const BackendEntry& backend,
    std::uint64_t hop,
    const PortFacts& port,
    FlowHash hash
) {
    constexpr std::uint16_t added = sizeof(Ipv6Header);
    const std::uint8_t* const from = backend.outer.data();
    std::uint8_t* const frame = packet.data - added;
    std::uint8_t* const outer = frame + sizeof(EthernetHeader);
    const auto inner = header_at<Ipv6Header>(outer + added).version_class_flow.host();
    const Be32 first = version_class_flow(static_cast<std::uint8_t>(inner >> 20U), hash);
    auto begin = read_header<std::uint64_t>(from); // of the template: payload length 0
    begin |= first.raw | (std::uint64_t{Be16::from_host(parsed.l3_length).raw} << 32U);
    write_header(outer, begin);
    std::memcpy(outer + sizeof begin, from + sizeof begin, added - sizeof begin);
    write_ethernet_header(frame, hop, port, ethertype_ipv6);
    prepend(packet, added);
}

} // namespace penstock
