// SPDX-License-Identifier: Apache-2.0
// A block of addresses, and what of an address is its network.
//
// Thread rule: values. The length is kept as the number of bits that do not matter, counted from
// the end of the address, so that both families are masked alike in their 16 bytes.
#pragma once

#include "dataplane/core/addresses.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

/// Bits of an address of this family: 32 or 128.
[[nodiscard]] constexpr std::uint8_t address_bits(Family family) {
    return family == Family::ipv4 ? 32 : 128;
}

/// `address` with its last `host_bits` bits cleared. REQUIRES: host_bits <= address_bits(family).
[[nodiscard]] IpAddress clear_host_bits(const IpAddress& address, std::uint8_t host_bits);

/// All addresses of one family that differ from `address` in the last `host_bits` bits only.
/// Invariant, kept by who makes one: those bits of `address` are 0, and host_bits is at most 32, or
/// 128 for IPv6.
struct IpPrefix {
    IpAddress address;
    std::uint8_t host_bits = 0; ///< 0: one address

    /// "198.51.100.0/24", "2001:db8::/32", or an address alone, which is a block of one. Nothing
    /// if it is no address, the length is out of range, or bits are set behind it.
    [[nodiscard]] static std::optional<IpPrefix> parse(std::string_view text);

    [[nodiscard]] bool contains(const IpAddress& other) const;

    /// The length that people write: 32 or 128 for one address.
    [[nodiscard]] std::uint8_t length() const {
        return static_cast<std::uint8_t>(address_bits(address.family()) - host_bits);
    }

    /// "198.51.100.0/24"; without the length if it is one address.
    [[nodiscard]] std::string to_string() const;

    friend constexpr auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};

} // namespace penstock
