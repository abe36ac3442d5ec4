// SPDX-License-Identifier: Apache-2.0
// Events on disk, so that a restarted penstock-cp still knows what happened before: one JSON object a line,
// in <path> and, before it, <path>.1 (appended_file.hpp). Not sealed and not synchronised: a power cut may
// take the last lines, and a line that cannot be understood is left out.
//
// Thread rule: one owner, the loop's thread.
#pragma once

#include "controlplane/events/event_log.hpp"
#include "controlplane/state/appended_file.hpp"

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// Of each of the two files: some 10,000 events.
inline constexpr std::size_t max_event_file_bytes = 4U << 20U;

struct LoggedEvent {
    Event event;     ///< with its sequence number
    std::string log; ///< EventLog::name()
};

/// One line, without its newline.
[[nodiscard]] std::string format_event_line(const Event& event, std::string_view log);

/// Nothing for what is no event, or of a type that this version does not know.
[[nodiscard]] std::optional<LoggedEvent> parse_event_line(std::string_view line);

struct EventsBefore {
    std::vector<Event> events;  ///< the oldest first, at most as many as asked for
    std::string log;            ///< of the last one
    std::size_t unreadable = 0; ///< lines that were left out
};

/// Of the runs before; a file that is missing has none.
[[nodiscard]] std::expected<EventsBefore, Refusal>
load_events(const std::string& path, std::size_t limit);

/// Puts into `events` what is in the file, and writes down whatever it records from now on. The numbers go on
/// unless lines may be lost, which is after a boot of the machine; then they begin anew under `fresh_name`,
/// which no log had before.
[[nodiscard]] std::expected<void, Refusal>
keep_events(EventLog& events, const std::string& path, const std::string& fresh_name);

/// Eight digits that another boot of this machine does not have; "00000000" if they cannot be read.
[[nodiscard]] std::string read_boot_mark();

} // namespace penstock
