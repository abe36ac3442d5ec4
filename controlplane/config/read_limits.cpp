// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/sections.hpp"

#include <fmt/format.h>

#include <array>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 5> limit_keys{
    "new_flows_per_second",
    "new_flows_per_second_per_source",
    "source_prefix",
    "flows",
    "flows_per_backend"
};

// A limit of 0 would be read as none by some and as nothing by others.
constexpr IntegerRange limit_range{.least = 1, .most = 1'000'000'000};

void read_limit(const TableReader& table, std::string_view key, std::uint32_t& limit) {
    if (const Value* value = table.find(key)) {
        const auto number = read_integer(table.findings(), *value, key, limit_range);
        limit = static_cast<std::uint32_t>(number.value_or(0));
    }
}

void read_source_prefix(const TableReader& table, ServiceSpec& spec) {
    const Value* value = table.find("source_prefix");
    if (value == nullptr) {
        return;
    }
    if (table.find("new_flows_per_second_per_source") == nullptr) {
        table.findings().error(
            table.key_span("source_prefix"),
            fmt::format("{} says what a source is, but not what one may do", table.what()),
            "add new_flows_per_second_per_source, or delete source_prefix"
        );
    }
    const Family family = spec.key.vip.family();
    const std::uint8_t bits = address_bits(family);
    const auto length = read_integer(
        table.findings(), *value, "source_prefix", {.least = 1, .most = bits, .unit = "bits"}
    );
    auto& host_bits = family == Family::ipv4 ? spec.limits.source_host_bits_ipv4
                                             : spec.limits.source_host_bits_ipv6;
    host_bits = static_cast<std::uint8_t>(bits - length.value_or(bits));
}

} // namespace

void read_limits(const TableReader& table, ServiceSpec& spec) {
    const Value* value = table.find("limit");
    if (value == nullptr || !expect_kind(table.findings(), *value, ValueKind::table, "limit")) {
        return;
    }
    const TableReader limits(
        table.findings(), *value, fmt::format("the limit of {}", table.what()), limit_keys
    );
    read_limit(limits, "new_flows_per_second", spec.limits.new_flows_per_s);
    read_limit(limits, "new_flows_per_second_per_source", spec.limits.new_flows_per_s_and_source);
    read_limit(limits, "flows", spec.limits.flows);
    read_limit(limits, "flows_per_backend", spec.limits.flows_per_backend);
    read_source_prefix(limits, spec);
    if (!spec.track && !value->members.empty()) {
        table.findings().error(
            table.key_span("limit"),
            fmt::format("{} limits flows, but remembers none", table.what()),
            "delete limit, or track = false"
        );
    }
}

} // namespace penstock::config
