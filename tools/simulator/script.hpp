// SPDX-License-Identifier: Apache-2.0
// Changes of the pool that were written down beforehand, one a line:
//
//   # seconds  change   host     weight
//   2          drain    host-3
//   3.5        weight   host-4   50
//   4          remove   host-3
//   4          add      host-3
//
// Thread rule: pure functions, but read_script(), which reads one file.
#pragma once

#include "dataplane/api/refusal.hpp"
#include "tools/simulator/pool.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace penstock::simulator {

struct ScriptedChange {
    std::uint64_t at_ms = 0; ///< simulated time since the beginning
    Change change = Change::add;
    std::uint32_t host = 0;   ///< 1 … 65535, as in "host-3"
    std::uint16_t weight = 0; ///< of Change::weight
    std::size_t line = 0;     ///< in the file, from 1
};

/// Every line that is not empty and does not begin with #. Times must not go back. The place of an
/// error is "name:line:column".
[[nodiscard]] std::expected<std::vector<ScriptedChange>, Refusal>
parse_script(const std::string& text, const std::string& name);

[[nodiscard]] std::expected<std::vector<ScriptedChange>, Refusal>
read_script(const std::string& path);

} // namespace penstock::simulator
