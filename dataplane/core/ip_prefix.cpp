// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/ip_prefix.hpp"

#include <array>
#include <charconv>

namespace penstock {

IpAddress clear_host_bits(const IpAddress& address, std::uint8_t host_bits) {
    std::array<std::uint8_t, 16> bytes = address.bytes();
    std::size_t last = bytes.size();
    unsigned left = host_bits;
    for (; left >= 8; left -= 8) {
        bytes[--last] = 0;
    }
    if (left > 0) {
        bytes[last - 1] = static_cast<std::uint8_t>(bytes[last - 1] & (0xffU << left));
    }
    // The mapped form of IPv4 keeps its marker: 32 host bits end behind it.
    return IpAddress::from_ipv6(bytes);
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) {
        return std::nullopt;
    }
    if (slash == std::string_view::npos) {
        return IpPrefix{.address = *address};
    }
    const std::string_view digits = text.substr(slash + 1);
    unsigned length = 0;
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), length);
    const unsigned bits = address_bits(address->family());
    if (error != std::errc() || end != digits.end() || length > bits) {
        return std::nullopt;
    }
    const IpPrefix prefix{
        .address = *address, .host_bits = static_cast<std::uint8_t>(bits - length)
    };
    if (clear_host_bits(*address, prefix.host_bits) != *address) {
        return std::nullopt;
    }
    return prefix;
}

bool IpPrefix::contains(const IpAddress& other) const {
    return other.family() == address.family() && clear_host_bits(other, host_bits) == address;
}

std::string IpPrefix::to_string() const {
    std::string text = address.to_string();
    return host_bits == 0 ? text : text + '/' + std::to_string(length());
}

} // namespace penstock
