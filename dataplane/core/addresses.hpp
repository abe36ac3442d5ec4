// SPDX-License-Identifier: Apache-2.0
// IP and MAC addresses as values: parse, print, compare, hash.
//
// Thread rule: values. An IpAddress is always 16 bytes in network order; IPv4 is held as
// IPv4-mapped IPv6 (RFC 4291 2.5.5.2), so that both families compare, sort and hash alike and
// tables need one key type.
#pragma once

#include "dataplane/core/byte_order.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

enum class Family : std::uint8_t { ipv4 = 4, ipv6 = 6 };

class IpAddress {
public:
    /// "::", which names nothing.
    constexpr IpAddress() = default;

    [[nodiscard]] static IpAddress from_ipv4(Be32 address);

    /// 16 bytes in network order. An IPv4-mapped address becomes, and compares equal to, the IPv4
    /// one.
    [[nodiscard]] static IpAddress from_ipv6(const std::array<std::uint8_t, 16>& bytes);

    /// Textual form of either family (RFC 4291 2.2; IPv4 as four decimals). Nothing else is
    /// accepted: no names, no prefix lengths, no zone, no leading or trailing space.
    [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);

    [[nodiscard]] Family family() const;

    [[nodiscard]] bool is_ipv4() const { return family() == Family::ipv4; }

    /// REQUIRES: is_ipv4().
    [[nodiscard]] Be32 ipv4() const;

    /// The 16 bytes in network order; for IPv4 the mapped form.
    [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }

    [[nodiscard]] bool is_unspecified() const; ///< 0.0.0.0 or ::
    [[nodiscard]] bool is_multicast() const;
    [[nodiscard]] bool is_loopback() const;

    /// RFC 5952 text; IPv4 as four decimals.
    [[nodiscard]] std::string to_string() const;

    friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

private:
    std::array<std::uint8_t, 16> bytes_{};
};

struct MacAddress {
    std::array<std::uint8_t, 6> bytes{};

    /// Six pairs of hexadecimal digits joined by ':'.
    [[nodiscard]] static std::optional<MacAddress> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;

    [[nodiscard]] bool is_multicast() const { return (bytes[0] & 1U) != 0; }

    friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;
};

static_assert(sizeof(IpAddress) == 16);
static_assert(sizeof(MacAddress) == 6);

} // namespace penstock
