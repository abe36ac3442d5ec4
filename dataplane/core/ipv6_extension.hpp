// SPDX-License-Identifier: Apache-2.0
// IPv6 extension headers that can stand before the upper layer (RFC 8200 4.1; RFC 7045 2).
//
// Thread rule: pure functions of the bytes.
#pragma once

#include <cstdint>
#include <span>

namespace penstock {

/// A chain longer than this is dropped: no endpoint sends one, and each costs us time.
inline constexpr unsigned max_ipv6_extensions = 8;

inline constexpr std::uint8_t ipv6_fragment_header = 44;

[[nodiscard]] constexpr bool is_ipv6_extension(std::uint8_t next_header) {
    constexpr std::uint8_t hop_by_hop = 0;
    constexpr std::uint8_t routing = 43;
    constexpr std::uint8_t authentication = 51;
    constexpr std::uint8_t destination_options = 60;
    constexpr std::uint8_t mobility = 135;
    constexpr std::uint8_t host_identity = 139;
    constexpr std::uint8_t shim6 = 140;
    switch (next_header) {
    case hop_by_hop:
    case routing:
    case ipv6_fragment_header:
    case authentication:
    case destination_options:
    case mobility:
    case host_identity:
    case shim6:
        return true;
    default:
        return false;
    }
}

/// Bytes of the extension header of this type that `bytes` begin with, or 0 if it does not fit.
[[nodiscard]] constexpr std::uint32_t
ipv6_extension_length(std::span<const std::uint8_t> bytes, std::uint8_t type) {
    constexpr std::uint32_t smallest = 8;
    constexpr std::uint8_t authentication = 51;
    if (bytes.size() < smallest) {
        return 0;
    }
    std::uint32_t length = (bytes[1] + 1U) * 8U;
    if (type == ipv6_fragment_header) {
        length = smallest;
    } else if (type == authentication) {
        length = (bytes[1] + 2U) * 4U; // RFC 4302 2.2
    }
    return length <= bytes.size() ? length : 0;
}

} // namespace penstock
