// SPDX-License-Identifier: Apache-2.0
// The log of penstock-dp: to standard error, through a bounded queue and a thread of its own.
//
// Thread rule: open_log() and close_log() on the main thread; anybody but a worker may log in
// between. A full queue loses its oldest line rather than hold up who logs.
#pragma once

#include <optional>
#include <spdlog/common.h>
#include <string_view>

namespace penstock {

struct LogOptions {
    spdlog::level::level_enum level = spdlog::level::info;
    bool is_json = false; ///< {"time": …, "level": …, "message": …} a line
};

[[nodiscard]] std::optional<spdlog::level::level_enum> parse_log_level(std::string_view name);

/// Makes it the default logger of spdlog. Writes to its own copy of descriptor 2, which therefore
/// stays the operator's whatever becomes of 2 (dpdk_log.hpp).
void open_log(const LogOptions& options);

/// Writes what is queued and ends the thread.
void close_log();

} // namespace penstock
