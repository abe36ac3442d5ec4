// SPDX-License-Identifier: Apache-2.0
// A frame's headers, found and checked: one cursor, one bounds check a header, a name for every
// failure.
//
// Thread rule: a pure function of the bytes. Invariant: nothing outside the packet is read, and
// every offset returned lies inside it with its whole header contiguous.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/byte_order.hpp"
#include "dataplane/core/drop_reason.hpp"
#include "dataplane/core/packet.hpp"

#include <cstdint>

namespace penstock {

/// What a frame turned out to be.
enum class PacketKind : std::uint8_t {
    malformed, ///< see `error`
    other,     ///< an EtherType that we know nothing about
    arp,       ///< `l3` is a whole ARP packet
    ipv4,      ///< `l4` is a whole header if the protocol is TCP, UDP or ICMP
    ipv6,      ///< the same
};

// In this order what a short way knows beforehand is one word (parse_plain.hpp).
struct ParsedPacket {
    PacketKind kind = PacketKind::malformed;
    DropReason error = DropReason::truncated_ethernet; ///< if malformed
    bool fragment = false;                             ///< any fragment, the first one too
    bool later_fragment = false;                       ///< one without the header at l4
    std::uint8_t l3 = 0;         ///< offset of the layer-3 header: 14 plus 4 for each VLAN tag
    std::uint8_t protocol = 0;   ///< of the header at l4
    std::uint16_t l4 = 0;        ///< offset of the header behind IP and its extensions
    std::uint16_t l3_length = 0; ///< bytes of the layer-3 packet; the frame may be padded beyond it
    std::uint8_t tcp_flags = 0;  ///< if TCP
    Be16 source_port{};          ///< if TCP or UDP, and no later fragment
    Be16 destination_port{};
    std::uint32_t fragment_id = 0; ///< if a fragment: its identification, as it stands on the wire

    [[nodiscard]] bool is_ip() const {
        return kind == PacketKind::ipv4 || kind == PacketKind::ipv6;
    }
};

/// Parses `packet` into `parsed`, which must be as constructed. Checks what a router would (RFC
/// 1812 5.2.2, RFC 8200 4): versions, lengths, the IPv4 header checksum; of layer 4 what is read:
/// TCP's data offset, UDP's length. Payloads and their checksums are the endpoints' business.
void parse_packet(const Packet& packet, ParsedPacket& parsed);

/// The same, always the long way; parse_packet() takes a short one where it can (parse_plain.hpp).
void parse_any_packet(const Packet& packet, ParsedPacket& parsed);

[[nodiscard]] inline ParsedPacket parse_packet(const Packet& packet) {
    ParsedPacket parsed;
    parse_packet(packet, parsed);
    return parsed;
}

} // namespace penstock
