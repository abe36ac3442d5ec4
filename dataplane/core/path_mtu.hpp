// SPDX-License-Identifier: Apache-2.0
// What routers on the way to a backend said of its MTU, for ten minutes (RFC 1191 6.3, RFC 8201 4):
// our tunnel packets are never fragmented on the way, so we must make them fit.
//
// Thread rule: any worker writes, any worker reads, each entry one relaxed word. Two routers'
// messages that cross leave one of the two values; the next packet that does not fit brings the
// other one back.
#pragma once

#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/identity.hpp"

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
        const CoarseTime heard{static_cast<std::uint16_t>(word & CoarseTime::mask)};
        const bool known =
            word != 0 && now.since(heard) <= lifetime_s / CoarseTime::seconds_per_tick;
        return known ? static_cast<std::uint16_t>(word >> 16U) : UINT16_MAX;
    }

    /// REQUIRES: no worker runs.
    void forget() {
        for (std::atomic<std::uint32_t>& word : words_) {
            word.store(0, std::memory_order_relaxed);
        }
    }

private:
    std::array<std::atomic<std::uint32_t>, max_backends> words_{};
};

} // namespace penstock
