// SPDX-License-Identifier: Apache-2.0
// A configuration on trial: unless it is confirmed by the deadline, an entry of the history comes
// back. Kept in the state directory, so that a crash does not end the trial.
//
// Thread rule: plain value and pure functions.
#pragma once

#include "controlplane/actor.hpp"
#include "controlplane/wall_time.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace penstock {

inline constexpr std::chrono::seconds max_confirm_window{86400};

struct Confirmation {
    std::uint64_t back_to = 0; ///< entry of the history
    std::chrono::seconds window{0};
    WallTime deadline; ///< for people and for restarts; while we run a steady timer counts
    Actor actor;       ///< who applied it
};

/// {"version":1,"back_to":3,"window_s":60,"deadline_ms":…,"actor":{…}}
[[nodiscard]] std::string format_confirmation(const Confirmation& confirmation);

/// The reverse; the error is what is wrong.
[[nodiscard]] std::expected<Confirmation, std::string> parse_confirmation(std::string_view text);

/// What is left of the window; never more than all of it, whatever the clock was set to meanwhile.
[[nodiscard]] std::chrono::milliseconds time_left(const Confirmation& confirmation, WallTime now);

} // namespace penstock
