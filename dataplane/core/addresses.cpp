// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/addresses.hpp"

#include <algorithm>
#include <arpa/inet.h> // inet_pton and inet_ntop: pure text conversions, no I/O

namespace penstock {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::optional<std::uint8_t> hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return static_cast<std::uint8_t>(c - '0');
    }
    if (c >= 'a' && c <= 'f') {
        return static_cast<std::uint8_t>(c - 'a' + 10);
    }
    if (c >= 'A' && c <= 'F') {
        return static_cast<std::uint8_t>(c - 'A' + 10);
    }
    return std::nullopt;
}

} // namespace

IpAddress IpAddress::from_ipv4(Be32 address) {
    IpAddress result;
    std::copy(mapped_prefix.begin(), mapped_prefix.end(), result.bytes_.begin());
    std::memcpy(&result.bytes_[12], &address, 4);
    return result;
}

IpAddress IpAddress::from_ipv6(const std::array<std::uint8_t, 16>& bytes) {
    IpAddress result;
    result.bytes_ = bytes;
    return result;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    // inet_pton wants a terminated string; the longest form of an address has 45 characters.
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (text.empty() || text.size() >= buffer.size() || text.contains('\0')) {
        return std::nullopt;
    }
    std::copy(text.begin(), text.end(), buffer.begin());
    if (Be32 ipv4{}; inet_pton(AF_INET, buffer.data(), &ipv4) == 1) {
        return from_ipv4(ipv4);
    }
    if (std::array<std::uint8_t, 16> ipv6{}; inet_pton(AF_INET6, buffer.data(), ipv6.data()) == 1) {
        return from_ipv6(ipv6);
    }
    return std::nullopt;
}

Family IpAddress::family() const {
    const bool mapped = std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes_.begin());
    return mapped ? Family::ipv4 : Family::ipv6;
}

Be32 IpAddress::ipv4() const {
    Be32 address{};
    std::memcpy(&address, &bytes_[12], 4);
    return address;
}

bool IpAddress::is_unspecified() const {
    const auto begin = is_ipv4() ? bytes_.begin() + 12 : bytes_.begin();
    return std::all_of(begin, bytes_.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_multicast() const {
    return is_ipv4() ? (bytes_[12] & 0xf0U) == 0xe0U : bytes_[0] == 0xff;
}

bool IpAddress::is_loopback() const {
    if (is_ipv4()) {
        return bytes_[12] == 127;
    }
    const bool zeros =
        std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t byte) { return byte == 0; });
    return zeros && bytes_[15] == 1;
}

std::string IpAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (is_ipv4()) {
        inet_ntop(AF_INET, &bytes_[12], buffer.data(), buffer.size());
    } else {
        inet_ntop(AF_INET6, bytes_.data(), buffer.data(), buffer.size());
    }
    return buffer.data();
}

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
    constexpr std::size_t text_length = 17;
    if (text.size() != text_length) {
        return std::nullopt;
    }
    MacAddress result;
    for (std::size_t i = 0; i < result.bytes.size(); ++i) {
        const auto high = hex_digit(text[i * 3]);
        const auto low = hex_digit(text[(i * 3) + 1]);
        const bool separated = i + 1 == result.bytes.size() || text[(i * 3) + 2] == ':';
        if (!high || !low || !separated) {
            return std::nullopt;
        }
        result.bytes[i] = static_cast<std::uint8_t>((*high << 4U) | *low);
    }
    return result;
}

std::string MacAddress::to_string() const {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes) {
        if (!text.empty()) {
            text += ':';
        }
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

} // namespace penstock
