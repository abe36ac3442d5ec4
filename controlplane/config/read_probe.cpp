// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/probe_keys.hpp"
#include "controlplane/config/sections.hpp"

#include <fmt/format.h>

#include <array>

namespace penstock::config {

namespace {

constexpr std::array probe_types{
    ProbeType::tcp,
    ProbeType::http,
    ProbeType::https,
    ProbeType::grpc,
    ProbeType::udp,
    ProbeType::icmp,
    ProbeType::dns,
    ProbeType::script,
    ProbeType::agent,
    ProbeType::none
};
constexpr std::array vias{ProbeVia::direct, ProbeVia::vip};

constexpr IntegerRange interval_range_ms{.least = 100, .most = 3600000};
constexpr IntegerRange timeout_range_ms{.least = 10, .most = 3600000};
constexpr IntegerRange count_range{.least = 1, .most = 100, .unit = "probes"};
constexpr IntegerRange jitter_range{.least = 0, .most = 50, .unit = "percent"};
constexpr IntegerRange concurrency_range{.least = 1, .most = 1024, .unit = "probes"};

void check_overlap(const TableReader& table, const ProbeConfig& probe) {
    if (probe.timeout_ms <= probe.interval_ms) {
        return;
    }
    const Value* interval = table.find("interval");
    const Value* timeout = table.find("timeout");
    table.findings().error(
        timeout != nullptr ? timeout->span : interval->span,
        fmt::format(
            "the timeout ({}{}) is longer than the interval ({}{})",
            format_duration(probe.timeout_ms),
            timeout == nullptr ? ", the default" : "",
            format_duration(probe.interval_ms),
            interval == nullptr ? ", the default" : ""
        ),
        timeout == nullptr
            ? fmt::format("add timeout = \"{}\" or less", format_duration(probe.interval_ms))
            : "probes of one backend must not overlap: shorten the timeout or lengthen the "
              "interval"
    );
}

void check_fast_interval(const TableReader& table, const ProbeConfig& probe) {
    if (probe.fast_interval_ms <= probe.interval_ms) {
        return;
    }
    table.findings().error(
        table.find("fast_interval")->span,
        fmt::format(
            "the fast_interval ({}) is longer than the interval ({})",
            format_duration(probe.fast_interval_ms),
            format_duration(probe.interval_ms)
        ),
        "it is for making sure of a change quickly: write less than the interval, or delete it"
    );
}

void read_times(const TableReader& table, ProbeConfig& probe) {
    bool good = true;
    const auto read = [&](std::string_view key, const IntegerRange& range, std::uint32_t& out) {
        if (const Value* value = table.find(key)) {
            const auto duration = read_duration_ms(table.findings(), *value, key, range);
            good = good && duration.has_value();
            out = duration.value_or(0);
        }
    };
    read("interval", interval_range_ms, probe.interval_ms);
    read("timeout", timeout_range_ms, probe.timeout_ms);
    read("fast_interval", interval_range_ms, probe.fast_interval_ms);
    if (good) {
        check_overlap(table, probe);
        check_fast_interval(table, probe);
    }
}

void read_counts(const TableReader& table, ProbeConfig& probe) {
    const auto read =
        [&table](std::string_view key, const IntegerRange& range, std::uint16_t& out) {
            if (const Value* value = table.find(key)) {
                const auto number = read_integer(table.findings(), *value, key, range);
                out = static_cast<std::uint16_t>(number.value_or(0));
            }
        };
    read("fall", count_range, probe.fall);
    read("rise", count_range, probe.rise);
    read("jitter", jitter_range, probe.jitter_percent);
    read("concurrency", concurrency_range, probe.concurrency);
}

/// What a probe of this type cannot do without.
void require_keys(const TableReader& table, const ProbeConfig& probe) {
    const auto require = [&table](std::string_view key, std::string_view example) {
        (void)table.require(key, example); // a missing one is a finding
    };
    switch (probe.type) {
    case ProbeType::udp:
        if (table.find("send_hex") == nullptr) {
            require("send", "send = \"ping\"");
        }
        break;
    case ProbeType::dns:
        require("query", "query = \"www.example.org\"");
        break;
    case ProbeType::script:
        require("command", "command = [\"/usr/local/bin/check-web\"]");
        require("user", "user = \"nobody\"");
        break;
    case ProbeType::agent:
        require("port", "port = 5555");
        break;
    default:
        break;
    }
}

} // namespace

ProbeConfig read_probe(Findings& findings, const Value& value, const std::string& what) {
    ProbeConfig probe;
    if (!expect_kind(findings, value, ValueKind::table, "probe")) {
        return probe;
    }
    const TableReader table(findings, value, what, list_probe_keys());
    const Value* type = table.require("type", "type = \"tcp\"");
    const auto read_type = type != nullptr
                               ? read_enum<ProbeType>(findings, *type, "probe type", probe_types)
                               : std::nullopt;
    if (read_type) {
        probe.type = *read_type;
        refuse_idle_keys(table, probe.type);
        require_keys(table, probe);
    }
    if (const Value* port = table.find("port")) {
        probe.port = read_port_number(findings, *port, "the probe's port");
    }
    if (const Value* via = table.find("via")) {
        probe.via = read_enum<ProbeVia>(findings, *via, "via", vias).value_or(ProbeVia::direct);
    }
    read_http_keys(table, probe);
    read_datagram_keys(table, probe);
    read_script_keys(table, probe);
    read_times(table, probe);
    read_counts(table, probe);
    return probe;
}

} // namespace penstock::config
