// SPDX-License-Identifier: Apache-2.0
// What penstock top shows: rows of one view, with rates between two readings, filtered and sorted. Knows
// no terminal.
//
// Thread rule: plain values and pure functions.
#pragma once

#include "tools/cli/failure.hpp"
#include "tools/cli/sample.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock::cli {

enum class TopView : std::uint8_t { services, backends, workers, drops };

/// "services", …; nothing for any other word.
[[nodiscard]] std::optional<TopView> find_top_view(std::string_view word);

/// All that one look at the control plane gives.
struct TopReading {
    struct BackendState {
        std::string admin;
        std::string health;
        std::uint64_t weight = 0;
    };

    Sample sample;
    std::map<std::pair<std::string, std::string>, BackendState> backends; ///< by service and name
    std::vector<std::pair<std::string, std::uint64_t>> drops;             ///< reason, packets
};

/// From the documents of GET /v1/stats, /v1/backends and /v1/drops.
[[nodiscard]] std::expected<TopReading, Failure> read_top(
    const boost::json::value& stats,
    const boost::json::value& backends,
    const boost::json::value& drops
);

struct TopColumn {
    std::string_view name;
    bool is_number = false;
};

struct TopRow {
    std::vector<std::string> cells;
    std::vector<double> numbers; ///< to sort by; of text columns 0
};

struct TopTable {
    std::vector<TopColumn> columns;
    std::vector<TopRow> rows;
};

[[nodiscard]] TopTable
make_top_table(TopView view, const TopReading& before, const TopReading& now);

/// What the operator chose.
struct TopChoice {
    std::size_t column = 0; ///< to sort by; beyond the last: the first
    bool descending = false;
    std::string filter; ///< only rows with a cell that has it
};

/// Numbers begin with the largest, words with A; `descending` turns that round.
void arrange(TopTable& table, const TopChoice& choice);

} // namespace penstock::cli
