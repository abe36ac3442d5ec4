// SPDX-License-Identifier: Apache-2.0
// The Internet checksum as RFC 1071 tells it, word by word in host order: slow, and written without
// a look at dataplane/core/headers.hpp, so that the two can be held against each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace penstock::test {

/// What stands in the checksum field, in host order, if the field itself is zero in `bytes`; 0 if
/// the field is filled and right.
inline std::uint16_t naive_checksum(std::span<const std::uint8_t> bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        const std::uint32_t low = i + 1 < bytes.size() ? bytes[i + 1] : 0U;
        sum += (std::uint32_t{bytes[i]} << 8U) | low;
        while (sum > 0xffffU) {
            sum = (sum & 0xffffU) + (sum >> 16U);
        }
    }
    return static_cast<std::uint16_t>(~sum & 0xffffU);
}

} // namespace penstock::test
