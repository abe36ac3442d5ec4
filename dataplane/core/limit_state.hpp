// SPDX-License-Identifier: Apache-2.0
// What a worker counts to enforce its share of the services' limits.
//
// Thread rule: that worker alone. Memory for the sources comes from outside; the rest is of fixed
// size and allocated with the object, before the worker starts.
#pragma once

#include "dataplane/core/identity.hpp"
#include "dataplane/core/rate_limit.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace penstock {

struct LimitState {
    /// Sources that are known at once, of all services: 2 MB.
    static constexpr std::size_t source_capacity = 131072;

    [[nodiscard]] static std::size_t memory_bytes() {
        return SourceLimiter::bytes_for(source_capacity);
    }

    /// `memory`: as SourceLimiter wants it, memory_bytes() long. Limits are shared by `worker_count`
    /// workers.
    LimitState(std::span<std::byte> memory, std::size_t worker_count)
        : sources(memory), workers(worker_count) {}

    SourceLimiter sources;
    std::size_t workers;
    std::array<TokenBucket, max_services> new_flows{}; ///< by ServiceId
    std::array<std::uint32_t, max_services> flows{};   ///< by ServiceId: entries now
};

} // namespace penstock
