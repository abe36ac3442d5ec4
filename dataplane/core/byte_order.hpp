// SPDX-License-Identifier: Apache-2.0
// Integers in network byte order, as types: a host integer cannot be stored into a header field,
// nor a header field be compared with a host integer, without saying so.
//
// Thread rule: values. No conversion is implicit: `Be16 port = 80` does not compile, because on a
// little-endian machine it would be port 20480.
#pragma once

#include <bit>
#include <compare>
#include <cstdint>

namespace penstock {

[[nodiscard]] constexpr std::uint16_t swap_if_little(std::uint16_t value) {
    return std::endian::native == std::endian::little ? __builtin_bswap16(value) : value;
}

[[nodiscard]] constexpr std::uint32_t swap_if_little(std::uint32_t value) {
    return std::endian::native == std::endian::little ? __builtin_bswap32(value) : value;
}

/// An unsigned integer held in network byte order. `raw` is the bytes as they stand on the wire.
/// Alignment is 1: it is a member of headers at odd offsets, and a reference to it must be sound.
template <typename Host>
struct [[gnu::packed]] BigEndian {
    Host raw;

    [[nodiscard]] static constexpr BigEndian from_host(Host value) {
        return {swap_if_little(value)};
    }

    [[nodiscard]] constexpr Host host() const { return swap_if_little(raw); }

    friend constexpr bool operator==(BigEndian, BigEndian) = default;
};

using Be16 = BigEndian<std::uint16_t>;
using Be32 = BigEndian<std::uint32_t>;

static_assert(sizeof(Be16) == 2 && alignof(Be16) == 1);
static_assert(sizeof(Be32) == 4 && alignof(Be32) == 1);

} // namespace penstock
