// SPDX-License-Identifier: Apache-2.0
// `health` of a service as values: what is done with the health that its probes tell.
//
// Thread rule: plain values that have passed validation (read_health_policy.cpp).
#pragma once

#include <cstdint>

namespace penstock::config {

/// health = { … } of a service.
struct HealthPolicy {
    /// With less than this share of its ready backends healthy, all of them are used. 0: never.
    std::uint16_t panic_percent = 0;
    /// Fewer healthy ones are a critical event and a problem of the status. 0: no such number.
    std::uint16_t min_healthy = 0;
    /// How long a recovered or added backend takes to its full weight. 0: no time.
    std::uint32_t slow_start_ms = 0;
    /// Going down more often than this within the window holds a backend down. 0: never.
    std::uint16_t flap_limit = 5;
    std::uint32_t flap_window_ms = 300000;
    /// How long it is held the first time; twice as long each further time, at most max_flap_hold_ms.
    std::uint32_t flap_hold_ms = 30000;

    /// At most so many backends are taken out of use for their health within shrink_window_ms: a number
    /// (shrink_limit) or a share of the ready ones (shrink_percent), one of the two. Both 0: no limit.
    std::uint16_t shrink_limit = 0;
    std::uint16_t shrink_percent = 0;
    std::uint32_t shrink_window_ms = 60000;

    friend bool operator==(const HealthPolicy&, const HealthPolicy&) = default;
};

inline constexpr std::uint32_t max_flap_hold_ms = 600000;

} // namespace penstock::config
