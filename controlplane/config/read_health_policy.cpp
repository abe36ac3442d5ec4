// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/sections.hpp"

#include <array>
#include <string>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 9> health_keys{
    "panic_percent",
    "min_healthy",
    "slow_start",
    "flap_limit",
    "flap_window",
    "flap_hold",
    "shrink_limit",
    "shrink_percent",
    "shrink_window"
};
constexpr IntegerRange percent_range{.least = 0, .most = 100, .unit = "percent"};
constexpr IntegerRange backend_range{.least = 0, .most = 16383, .unit = "backends"};
constexpr IntegerRange shrink_range{.least = 1, .most = 16383, .unit = "backends"};
constexpr IntegerRange shrink_percent_range{.least = 1, .most = 100, .unit = "percent"};
constexpr IntegerRange flap_limit_range{.least = 0, .most = 100, .unit = "times"};
constexpr IntegerRange slow_start_range_ms{.least = 4000, .most = 3600000};
constexpr IntegerRange window_range_ms{.least = 1000, .most = 3600000};
constexpr IntegerRange hold_range_ms{.least = 1000, .most = max_flap_hold_ms};

void check_shrinking(const TableReader& table) {
    const bool has_limit = table.find("shrink_limit") != nullptr;
    const bool has_percent = table.find("shrink_percent") != nullptr;
    if (has_limit && has_percent) {
        table.findings().error(
            table.key_span("shrink_percent"),
            "shrink_limit and shrink_percent say the same thing in two ways",
            "delete one of them"
        );
    } else if (!has_limit && !has_percent && table.find("shrink_window") != nullptr) {
        table.findings().error(
            table.key_span("shrink_window"),
            "'shrink_window' is of no use without a limit",
            "add shrink_limit = 1, or shrink_percent = 10, or delete it"
        );
    }
}

} // namespace

HealthPolicy read_health_policy(Findings& findings, const Value& value, const std::string& what) {
    HealthPolicy policy;
    if (!expect_kind(findings, value, ValueKind::table, "health")) {
        return policy;
    }
    const TableReader table(findings, value, what, health_keys);
    const auto read_number = [&](std::string_view key, const IntegerRange& range, std::uint16_t& out
                             ) {
        if (const Value* found = table.find(key)) {
            const auto number = read_integer(findings, *found, key, range);
            out = static_cast<std::uint16_t>(number.value_or(0));
        }
    };
    const auto read_time = [&](std::string_view key, const IntegerRange& range, std::uint32_t& out
                           ) {
        if (const Value* found = table.find(key)) {
            out = read_duration_ms(findings, *found, key, range).value_or(0);
        }
    };
    read_number("panic_percent", percent_range, policy.panic_percent);
    read_number("min_healthy", backend_range, policy.min_healthy);
    read_number("flap_limit", flap_limit_range, policy.flap_limit);
    read_time("slow_start", slow_start_range_ms, policy.slow_start_ms);
    read_time("flap_window", window_range_ms, policy.flap_window_ms);
    read_time("flap_hold", hold_range_ms, policy.flap_hold_ms);
    read_number("shrink_limit", shrink_range, policy.shrink_limit);
    read_number("shrink_percent", shrink_percent_range, policy.shrink_percent);
    read_time("shrink_window", window_range_ms, policy.shrink_window_ms);
    check_shrinking(table);
    for (const std::string_view key : {"flap_window", "flap_hold"}) {
        if (policy.flap_limit == 0 && table.find(key) != nullptr) {
            findings.error(
                table.key_span(key),
                "'" + std::string(key) + "' is of no use with flap_limit = 0",
                "delete it, or set flap_limit to 1 or more"
            );
        }
    }
    return policy;
}

} // namespace penstock::config
