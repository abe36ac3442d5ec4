// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/probe_timing.hpp"

#include <algorithm>

namespace penstock {

namespace {

std::chrono::microseconds scale(std::chrono::milliseconds interval, double factor) {
    const std::chrono::duration<double, std::micro> exact = interval * factor;
    return std::chrono::duration_cast<std::chrono::microseconds>(exact);
}

} // namespace

std::chrono::microseconds first_probe_delay(std::size_t index, std::chrono::milliseconds interval) {
    constexpr std::chrono::microseconds apart{100};
    const std::chrono::microseconds whole{interval};
    return std::min(apart * static_cast<std::int64_t>(index), whole);
}

std::chrono::microseconds second_probe_delay(std::chrono::milliseconds interval, double random) {
    return scale(interval, random);
}

std::chrono::microseconds
next_probe_delay(std::chrono::milliseconds interval, std::uint16_t jitter_percent, double random) {
    const double jitter = static_cast<double>(jitter_percent) / 100.0;
    return scale(interval, 1.0 + jitter * (2.0 * random - 1.0));
}

} // namespace penstock
