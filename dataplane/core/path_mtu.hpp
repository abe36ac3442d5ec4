// SPDX-License-Identifier: Apache-2.0
// What routers on the way to a backend said of its MTU, for ten minutes (RFC 1191 6.3, RFC 8201 4):
// our tunnel packets are never fragmented on the way, so we must make them fit.
//
// Thread rule: any worker writes, any worker reads, each entry one relaxed word. Two routers'
// messages that cross leave one of the two values; the next packet that does not fit brings the
// other one back. Coarse time wraps: what is old must be forgotten by expire() before it looks new.
#pragma once

#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/identity.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

namespace penstock {

class PathMtuTable {
public:
    static constexpr std::uint16_t lifetime_s = 600;
    /// Smaller values are not believed: a forged message must not make us cut everything to crumbs
    /// (RFC 5927 7.2; RFC 8200 5 allows no less for IPv6).
    static constexpr std::uint16_t least_ipv4 = 576;
    static constexpr std::uint16_t least_ipv6 = 1280;

    /// Lowers the MTU towards `backend`; a larger value than the one in force changes nothing.
    void lower(BackendId backend, std::uint16_t mtu, CoarseTime now) {
        if (mtu < load(backend, now)) {
            words_[backend.value].store(
                (std::uint32_t{mtu} << 16U) | now.ticks, std::memory_order_relaxed
            );
        }
    }

    /// 65535 if nothing smaller is known.
    [[nodiscard]] std::uint16_t load(BackendId backend, CoarseTime now) const {
        const std::uint32_t word = words_[backend.value].load(std::memory_order_relaxed);
        return is_known(word, now) ? static_cast<std::uint16_t>(word >> 16U) : UINT16_MAX;
    }

    /// Forgets what is too old among the next `count` entries; the workers take turns.
    void expire(CoarseTime now, std::size_t count) {
        count = std::min(count, words_.size());
        const std::uint32_t begin =
            next_.fetch_add(static_cast<std::uint32_t>(count), std::memory_order_relaxed);
        for (std::size_t i = 0; i < count; ++i) {
            std::atomic<std::uint32_t>& entry = words_[(begin + i) % words_.size()];
            std::uint32_t word = entry.load(std::memory_order_relaxed);
            if (word != 0 && !is_known(word, now)) {
                // Unless another worker has just heard anew.
                entry.compare_exchange_strong(word, 0, std::memory_order_relaxed);
            }
        }
    }

    /// REQUIRES: no worker runs.
    void forget() {
        for (std::atomic<std::uint32_t>& word : words_) {
            word.store(0, std::memory_order_relaxed);
        }
    }

private:
    [[nodiscard]] static bool is_known(std::uint32_t word, CoarseTime now) {
        const CoarseTime heard{static_cast<std::uint16_t>(word & CoarseTime::mask)};
        return word != 0 && now.since(heard) <= lifetime_s / CoarseTime::seconds_per_tick;
    }

    std::array<std::atomic<std::uint32_t>, max_backends> words_{};
    std::atomic<std::uint32_t> next_{0}; ///< that expire() looks at; max_backends divides its wrap
};

} // namespace penstock
