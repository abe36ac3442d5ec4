// SPDX-License-Identifier: Apache-2.0
// When probes are due: at once after a start, then spread so that ten thousand of them are a steady
// trickle, not a wave every two seconds.
//
// Thread rule: pure functions; the caller brings the random number.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace penstock {

/// Delay of the first probe of the `index`-th of many new targets: a tenth of a millisecond apart,
/// so that a small site is up in milliseconds and a large one does not open all its sockets at
/// once; never more than one interval.
[[nodiscard]] std::chrono::microseconds
first_probe_delay(std::size_t index, std::chrono::milliseconds interval);

/// Delay from the first probe's start to the second's: anywhere in one interval, which spreads the
/// probes for good. `random` is in [0, 1).
[[nodiscard]] std::chrono::microseconds
second_probe_delay(std::chrono::milliseconds interval, double random);

/// Delay from one start to the next: the interval plus or minus `jitter_percent`. `random` is in
/// [0, 1).
[[nodiscard]] std::chrono::microseconds
next_probe_delay(std::chrono::milliseconds interval, std::uint16_t jitter_percent, double random);

} // namespace penstock
