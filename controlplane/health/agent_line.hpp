// SPDX-License-Identifier: Apache-2.0
// The line that a server's agent answers with, in the words that HAProxy's agent-check has made
// common:
//
//   "75%"  weight in percent of the configured    "ready" "drain" "maint"  what the server wants
//   "up"   "down" "fail" "stopped"                 how it is
//
// Several may stand in one line, separated by spaces, tabs or commas; what follows '#' is for people.
//
// Thread rule: pure function.
#pragma once

#include "controlplane/health/probe_result.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace penstock {

/// A longer line is no line.
inline constexpr std::size_t max_agent_line = 1024;

struct AgentLine {
    AgentReport report;
    bool is_up = true;       ///< false: down, fail or stopped was said
    std::string description; ///< what followed '#', untrusted

    friend bool operator==(const AgentLine&, const AgentLine&) = default;
};

/// `line` is without its end. An unknown word, or none at all, is an error that quotes it.
[[nodiscard]] std::expected<AgentLine, std::string> parse_agent_line(std::string_view line);

} // namespace penstock
