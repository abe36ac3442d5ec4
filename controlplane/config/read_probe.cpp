// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/sections.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 10> probe_keys{
    "type", "port", "path", "host", "status", "interval", "timeout", "fall", "rise", "jitter"
};
constexpr std::array<std::string_view, 3> http_keys{"path", "host", "status"};
constexpr std::array probe_types{ProbeType::tcp, ProbeType::http, ProbeType::none};

constexpr IntegerRange interval_range_ms{.least = 100, .most = 3600000};
constexpr IntegerRange timeout_range_ms{.least = 10, .most = 3600000};
constexpr IntegerRange count_range{.least = 1, .most = 100, .unit = "probes"};
constexpr IntegerRange jitter_range{.least = 0, .most = 50, .unit = "percent"};
constexpr IntegerRange status_range{.least = 100, .most = 599};
constexpr std::size_t max_path = 1024;
constexpr std::size_t max_host = 253;

// Visible ASCII only: the text becomes part of a request line or a header.
bool is_visible_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char character) {
        return character > ' ' && character < '\x7f';
    });
}

void read_path(Findings& findings, const Value& value, ProbeConfig& probe) {
    const auto path = read_text(findings, value, "path", max_path);
    if (!path) {
        return;
    }
    if (!path->starts_with('/') || !is_visible_ascii(*path)) {
        findings.error(
            value.span,
            fmt::format("path {} is no path of a URL", quote(*path)),
            "begin it with '/', and write spaces and letters beyond ASCII percent-encoded: "
            "\"/health%20z\""
        );
        return;
    }
    probe.path = *path;
}

void read_host(Findings& findings, const Value& value, ProbeConfig& probe) {
    const auto host = read_text(findings, value, "host", max_host);
    if (!host) {
        return;
    }
    if (!is_visible_ascii(*host) || host->find_first_of("/?#@\\") != std::string::npos) {
        findings.error(
            value.span,
            fmt::format("host {} is no host name", quote(*host)),
            "write the value of the Host header: \"www.example.org\""
        );
        return;
    }
    probe.host = *host;
}

std::optional<std::uint16_t> parse_status(std::string_view text) {
    std::uint16_t status = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), status);
    const bool good = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() &&
                      status >= status_range.least && status <= status_range.most;
    return good ? std::optional(status) : std::nullopt;
}

void read_status(Findings& findings, const Value& value, ProbeConfig& probe) {
    if (value.kind == ValueKind::integer) {
        const auto status = read_integer(findings, value, "status", status_range);
        probe.expect_status_min = static_cast<std::uint16_t>(status.value_or(0));
        probe.expect_status_max = probe.expect_status_min;
        return;
    }
    if (!expect_kind(findings, value, ValueKind::string, "status")) {
        return;
    }
    const std::string_view text = value.text;
    const std::size_t dash = text.find('-');
    const auto least = parse_status(text.substr(0, dash));
    const auto most = dash == std::string_view::npos ? least : parse_status(text.substr(dash + 1));
    if (!least || !most || *least > *most) {
        findings.error(
            value.span,
            fmt::format("status {} is no range of HTTP status codes", quote(text)),
            "write one code or two, the smaller first, from 100 to 599: \"200-399\""
        );
        return;
    }
    probe.expect_status_min = *least;
    probe.expect_status_max = *most;
}

void read_times(const TableReader& table, ProbeConfig& probe) {
    Findings& findings = table.findings();
    const Value* interval = table.find("interval");
    const Value* timeout = table.find("timeout");
    bool good = true;
    if (interval != nullptr) {
        const auto read = read_duration_ms(findings, *interval, "interval", interval_range_ms);
        good = good && read.has_value();
        probe.interval_ms = read.value_or(0);
    }
    if (timeout != nullptr) {
        const auto read = read_duration_ms(findings, *timeout, "timeout", timeout_range_ms);
        good = good && read.has_value();
        probe.timeout_ms = read.value_or(0);
    }
    if (good && probe.timeout_ms > probe.interval_ms) {
        findings.error(
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
}

// A key that the type of probe would ignore is a mistake: report it.
void refuse_idle_keys(
    const TableReader& table, const ProbeConfig& probe, std::span<const std::string_view> keys
) {
    for (const std::string_view key : keys) {
        if (key != "type" && table.find(key) != nullptr) {
            table.findings().error(
                table.key_span(key),
                fmt::format(
                    "{} is of type '{}', which has no {}",
                    table.what(),
                    to_string(probe.type),
                    quote(key)
                ),
                fmt::format(
                    "delete {}{}",
                    quote(key),
                    probe.type == ProbeType::tcp ? ", or set type = \"http\"" : ""
                )
            );
        }
    }
}

} // namespace

ProbeConfig read_probe(Findings& findings, const Value& value, const std::string& what) {
    ProbeConfig probe;
    if (!expect_kind(findings, value, ValueKind::table, "probe")) {
        return probe;
    }
    const TableReader table(findings, value, what, probe_keys);
    const Value* type = table.require("type", "type = \"tcp\"");
    const auto read_type = type != nullptr
                               ? read_enum<ProbeType>(findings, *type, "probe type", probe_types)
                               : std::nullopt;
    if (read_type) {
        probe.type = *read_type;
        if (probe.type == ProbeType::none) {
            refuse_idle_keys(table, probe, probe_keys);
        } else if (probe.type == ProbeType::tcp) {
            refuse_idle_keys(table, probe, http_keys);
        }
    }
    if (const Value* port = table.find("port")) {
        probe.port = read_port_number(findings, *port, "the probe's port");
    }
    if (const Value* path = table.find("path")) {
        read_path(findings, *path, probe);
    }
    if (const Value* host = table.find("host")) {
        read_host(findings, *host, probe);
    }
    if (const Value* status = table.find("status")) {
        read_status(findings, *status, probe);
    }
    read_times(table, probe);
    read_counts(table, probe);
    return probe;
}

} // namespace penstock::config
