// SPDX-License-Identifier: Apache-2.0
// Bytes of tests as the documents that they are from print them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::test {

/// Pairs of hexadecimal digits. Aborts on anything else.
inline std::vector<std::uint8_t> bytes_of(std::string_view hex) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        std::size_t used = 0;
        const std::string pair(hex.substr(i, 2));
        bytes.push_back(static_cast<std::uint8_t>(std::stoi(pair, &used, 16)));
        if (used != 2) {
            std::abort();
        }
    }
    return bytes;
}

/// 16 bytes.
inline std::array<std::uint8_t, 16> block_of(std::string_view hex) {
    const auto bytes = bytes_of(hex);
    std::array<std::uint8_t, 16> block{};
    if (bytes.size() != block.size()) {
        std::abort();
    }
    std::ranges::copy(bytes, block.begin());
    return block;
}

} // namespace penstock::test
