// SPDX-License-Identifier: Apache-2.0
// Points in time for people: of events, of health transitions, of the last good probe. Never used
// to measure how long something took or when a timer is due; that is the steady clock's part.
//
// Thread rule: values and pure functions.
#pragma once

#include <chrono>
#include <string>

namespace penstock {

using WallTime = std::chrono::system_clock::time_point;

/// RFC 3339 in UTC with milliseconds: "2026-11-22T14:02:11.250Z".
[[nodiscard]] std::string format_rfc3339(WallTime time);

/// "14:02:11" if it is the same UTC day as `now`, else "2026-11-21 14:02:11". UTC, as all times
/// here.
[[nodiscard]] std::string format_clock(WallTime time, WallTime now);

} // namespace penstock
