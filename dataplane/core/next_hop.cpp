// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/next_hop.hpp"

namespace penstock {

static_assert(std::endian::native == std::endian::little, "the packed word assumes little-endian");

void NextHopTable::set(BackendId backend, const NextHop& hop) {
    std::uint64_t word = 0;
    std::memcpy(&word, hop.mac.bytes.data(), hop.mac.bytes.size());
    word |= std::uint64_t{hop.port.value} << 48U;
    word |= std::uint64_t{1} << 56U;
    words_[backend.value].store(word, std::memory_order_relaxed);
}

void NextHopTable::clear(BackendId backend) {
    words_[backend.value].store(0, std::memory_order_relaxed);
}

} // namespace penstock
