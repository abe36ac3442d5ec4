// SPDX-License-Identifier: Apache-2.0
// A backend's health over time, and what follows from it beyond the moment: one that flaps is held
// down, one that comes back starts slowly.
//
//   down more than flap_limit times in flap_window ──► held for flap_hold, twice as long each time
//   up again, or added ──► 10, 25, 50, 75, 100 % of its weight, a quarter of slow_start each
//
// Thread rule: plain object, no clock: the caller passes the steady clock's time, so a step of the
// wall clock moves nothing.
#pragma once

#include "controlplane/config/health_policy.hpp"

#include <chrono>
#include <deque>
#include <optional>

namespace penstock {

class BackendCourse {
public:
    using Time = std::chrono::steady_clock::time_point;

    /// The probes took it down at `now`. Returns for how long it is held from now on, if that has
    /// just been decided.
    std::optional<std::chrono::milliseconds>
    record_down(const config::HealthPolicy& policy, Time now);

    /// It begins to take flows at `now`, after having been down or not there.
    void start_slowly(Time now) { started_ = now; }

    [[nodiscard]] bool is_held(Time now) const { return held_until_ && now < *held_until_; }

    /// Share of its weight, in percent, 10 … 100. While it is held the start waits.
    [[nodiscard]] unsigned weight_percent(const config::HealthPolicy& policy, Time now) const;

    /// When one of the two above becomes another without anything else happening; nothing if not.
    [[nodiscard]] std::optional<Time>
    next_change(const config::HealthPolicy& policy, Time now) const;

private:
    [[nodiscard]] std::optional<Time> start_time() const;

    std::deque<Time> downs_; ///< within the window
    unsigned holds_ = 0;     ///< in a row, without a quiet window in between
    std::optional<Time> held_until_;
    std::optional<Time> started_;
};

} // namespace penstock
