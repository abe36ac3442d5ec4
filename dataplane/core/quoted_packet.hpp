// SPDX-License-Identifier: Apache-2.0
// The packet that an ICMP error quotes: the beginning of what its sender could not deliver.
//
// Thread rule: a pure function of the bytes. Nothing outside them is read. The quoted packet's
// checksums are not looked at: it may have been changed on its way, and whoever is told checks it
// against its own connections.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/byte_order.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace penstock {

struct QuotedPacket {
    IpAddress source;
    IpAddress destination;
    std::uint8_t protocol = 0;
    std::uint32_t l4 = 0; ///< offset of the header behind IP and its extensions
    Be16 source_port{};   ///< if TCP or UDP
    Be16 destination_port{};
};

/// Reads what stands behind the eight bytes of an ICMP error. Nothing if it is no IP packet of that
/// family, a later fragment, or ends before the ports of TCP or UDP (RFC 792 quotes eight bytes of
/// layer 4, RFC 4443 more).
[[nodiscard]] std::optional<QuotedPacket>
parse_quoted(std::span<const std::uint8_t> quoted, Family family);

/// ICMPv4 types 3, 11, 12 (RFC 792): destination unreachable, time exceeded, parameter problem.
[[nodiscard]] bool is_icmpv4_error(std::uint8_t type);

/// ICMPv6 types 1 to 4 (RFC 4443 2.1), of which 2 is packet too big.
[[nodiscard]] bool is_icmpv6_error(std::uint8_t type);

} // namespace penstock
