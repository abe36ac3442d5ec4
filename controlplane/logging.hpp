// SPDX-License-Identifier: Apache-2.0
// Log lines to stderr, written by a thread of their own: a bounded queue, of which the oldest line
// is lost when stderr is slower than we are, so that the loop never waits for a log.
//
// Thread rule: start and stop on the main thread; spdlog's functions from any.
#pragma once

#include <string>

namespace penstock {

/// `level` is one of the words of --log-level. Text: "2026-11-22T14:02:11.250Z warning …".
void start_logging(const std::string& level, bool json);

/// Writes what is queued.
void stop_logging();

} // namespace penstock
