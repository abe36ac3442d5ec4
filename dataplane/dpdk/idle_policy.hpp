// SPDX-License-Identifier: Apache-2.0
// When a worker that finds nothing gives its CPU away, and for how long.
//
//   traffic ─► spin (spin_ns) ─► sleep 1 µs, 2, 4 … max_sleep_ns ─► (traffic: from the beginning)
//
// A sleep costs latency (asked for 50 µs, 88 µs is what one gets with timer slack 1 ns), so it
// starts small and only a queue that stays empty earns the long ones.
//
// Thread rule: belongs to one worker. Pure: time comes from outside.
#pragma once

#include <algorithm>
#include <cstdint>

namespace penstock {

class IdlePolicy {
public:
    static constexpr std::uint64_t spin_ns = 100'000;
    static constexpr std::uint32_t first_sleep_ns = 1'000;
    static constexpr std::uint32_t max_sleep_ns = 50'000;

    /// Never sleeps: a worker with a core of its own.
    [[nodiscard]] static IdlePolicy spin() { return IdlePolicy(UINT64_MAX); }

    /// Sleeps after `spin_ticks` without traffic: spin_ns in the caller's clock.
    [[nodiscard]] static IdlePolicy adaptive(std::uint64_t spin_ticks) {
        return IdlePolicy(spin_ticks);
    }

    /// After a poll that found something. `now` is the caller's clock, which never goes back.
    void note_traffic(std::uint64_t now) {
        last_traffic_ = now;
        next_sleep_ns_ = first_sleep_ns;
    }

    /// After a poll that found nothing: how long to sleep, 0 for not at all.
    [[nodiscard]] std::uint32_t choose_sleep_ns(std::uint64_t now) {
        if (now - last_traffic_ < spin_ticks_) {
            return 0;
        }
        const std::uint32_t sleep_ns = next_sleep_ns_;
        next_sleep_ns_ = std::min(next_sleep_ns_ * 2, max_sleep_ns);
        return sleep_ns;
    }

private:
    explicit IdlePolicy(std::uint64_t spin_ticks) : spin_ticks_(spin_ticks) {}

    std::uint64_t spin_ticks_;
    std::uint64_t last_traffic_ = 0;
    std::uint32_t next_sleep_ns_ = first_sleep_ns;
};

} // namespace penstock
