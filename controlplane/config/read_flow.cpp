// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/sections.hpp"
#include "dataplane/core/flow_table.hpp"

#include <fmt/format.h>

#include <array>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 4> flow_keys{
    "tcp_syn", "tcp_established", "tcp_closing", "udp"
};
constexpr IntegerRange timeout_range_ms{
    .least = 1000, .most = std::int64_t{max_flow_timeout_s} * 1000
};

void read_timeout(const TableReader& table, std::string_view key, std::uint16_t& seconds) {
    const Value* value = table.find(key);
    if (value == nullptr) {
        return;
    }
    const auto milliseconds = read_duration_ms(table.findings(), *value, key, timeout_range_ms);
    if (!milliseconds) {
        return;
    }
    if (*milliseconds % 1000 != 0) {
        table.findings().error(
            value->span,
            fmt::format("{} {} is no whole number of seconds", key, quote(value->text)),
            "flow timeouts are kept in seconds: write \"1s\" or more, without fractions"
        );
        return;
    }
    seconds = static_cast<std::uint16_t>(*milliseconds / 1000);
}

} // namespace

FlowTimeouts read_flow(Findings& findings, const Value& value) {
    FlowTimeouts timeouts;
    if (!expect_kind(findings, value, ValueKind::table, "flow")) {
        return timeouts;
    }
    const TableReader table(findings, value, "[flow]", flow_keys);
    read_timeout(table, "tcp_syn", timeouts.tcp_syn_s);
    read_timeout(table, "tcp_established", timeouts.tcp_established_s);
    read_timeout(table, "tcp_closing", timeouts.tcp_closing_s);
    read_timeout(table, "udp", timeouts.udp_s);
    return timeouts;
}

} // namespace penstock::config
