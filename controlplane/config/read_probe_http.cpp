// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/probe_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 5> methods{"GET", "HEAD", "OPTIONS", "POST", "PUT"};
constexpr IntegerRange status_range{.least = 100, .most = 599};
constexpr std::size_t max_path = 1024;
constexpr std::size_t max_host = 253;
constexpr std::size_t max_body = 1024;
constexpr std::size_t max_headers = 16;
constexpr std::size_t max_header = 1024;
constexpr std::size_t max_file_name = 4095;
constexpr std::size_t max_grpc_service = 256;

// What the probe sets itself: a second one would make the request ambiguous.
constexpr std::array<std::string_view, 5> own_headers{
    "host", "connection", "content-length", "transfer-encoding", "te"
};

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

void read_host_name(
    Findings& findings, const Value& value, std::string_view key, std::string& out
) {
    const auto host = read_text(findings, value, key, max_host);
    if (!host) {
        return;
    }
    if (!is_visible_ascii(*host) || host->find_first_of("/?#@\\") != std::string::npos) {
        findings.error(
            value.span,
            fmt::format("{} {} is no host name", key, quote(*host)),
            key == "host" ? "write the value of the Host header: \"www.example.org\""
                          : "write the name in the certificate: \"www.example.org\""
        );
        return;
    }
    out = *host;
}

void read_tls_name(Findings& findings, const Value& value, ProbeConfig& probe) {
    read_host_name(findings, value, "tls_name", probe.tls_name);
    if (probe.tls_name.find_first_of(":*[]%") != std::string::npos) {
        findings.error(
            value.span,
            fmt::format("tls_name {} is no name of one host", quote(probe.tls_name)),
            "write the name in the certificate, without a port: \"www.example.org\""
        );
    }
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

// RFC 9110 5.6.2.
bool is_token(std::string_view text) {
    return !text.empty() && is_visible_ascii(text) &&
           text.find_first_of("\"(),/:;<=>?@[\\]{}") == std::string_view::npos;
}

void read_header(Findings& findings, const Member& member, ProbeConfig& probe) {
    std::string lower = member.key;
    std::ranges::transform(lower, lower.begin(), [](char letter) {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    });
    if (!is_token(member.key)) {
        findings.error(
            member.key_span,
            fmt::format("{} is no name of a header", quote(member.key)),
            "write letters, digits and '-': headers = { \"X-Probe\" = \"1\" }"
        );
        return;
    }
    if (std::ranges::find(own_headers, std::string_view(lower)) != own_headers.end()) {
        findings.error(
            member.key_span,
            fmt::format("the probe sets the header {} itself", quote(member.key)),
            lower == "host" ? "delete it and set host = \"…\"" : "delete it"
        );
        return;
    }
    if (const auto text = read_text(findings, member.value, member.key, max_header)) {
        probe.headers.push_back({.name = member.key, .value = *text});
    }
}

void read_headers(Findings& findings, const Value& value, ProbeConfig& probe) {
    if (!expect_kind(findings, value, ValueKind::table, "headers")) {
        return;
    }
    if (value.members.size() > max_headers) {
        findings.error(
            value.span,
            fmt::format("{} headers, at most {} are possible", value.members.size(), max_headers),
            "remove the others"
        );
        return;
    }
    for (const Member& member : value.members) {
        read_header(findings, member, probe);
    }
}

void read_flag(const TableReader& table, std::string_view key, bool& out) {
    const Value* value = table.find(key);
    if (value != nullptr && expect_kind(table.findings(), *value, ValueKind::boolean, key)) {
        out = value->boolean;
    }
}

void read_tls_keys(const TableReader& table, ProbeConfig& probe) {
    Findings& findings = table.findings();
    read_flag(table, "tls", probe.tls);
    read_flag(table, "tls_verify", probe.tls_verify);
    if (const Value* value = table.find("tls_name")) {
        read_tls_name(findings, *value, probe);
    }
    const Value* file = table.find("tls_ca");
    if (file != nullptr) {
        probe.tls_ca = read_text(findings, *file, "tls_ca", max_file_name).value_or("");
        if (!probe.tls_ca.empty() && !probe.tls_ca.starts_with('/')) {
            findings.error(
                file->span,
                fmt::format("tls_ca {} is no absolute path", quote(probe.tls_ca)),
                "write it from the root: \"/etc/ssl/certs/internal-ca.pem\""
            );
        }
    }
    for (const std::string_view key : {"tls_verify", "tls_name", "tls_ca"}) {
        if (probe.type == ProbeType::grpc && !probe.tls && table.find(key) != nullptr) {
            findings.error(
                table.key_span(key),
                fmt::format("{} without tls", quote(key)),
                "add tls = true, or delete it"
            );
        }
    }
    if (!probe.tls_verify && !probe.tls_ca.empty()) {
        findings.error(
            table.key_span("tls_ca"),
            "'tls_ca' is of no use with tls_verify = false",
            "delete one of the two"
        );
    } else if (!probe.tls_verify) {
        findings.warn(
            table.key_span("tls_verify"),
            "the certificate is not checked: whoever answers counts as the server",
            "leave tls_verify out; tls_ca names the file of a private authority"
        );
    }
}

} // namespace

void read_http_keys(const TableReader& table, ProbeConfig& probe) {
    Findings& findings = table.findings();
    if (const Value* value = table.find("method")) {
        const auto index = read_word(findings, *value, "method", methods);
        probe.method = methods[index.value_or(0)];
    }
    if (const Value* value = table.find("path")) {
        read_path(findings, *value, probe);
    }
    if (const Value* value = table.find("host")) {
        read_host_name(findings, *value, "host", probe.host);
    }
    if (const Value* value = table.find("headers")) {
        read_headers(findings, *value, probe);
    }
    if (const Value* value = table.find("status")) {
        read_status(findings, *value, probe);
    }
    if (const Value* value = table.find("body")) {
        probe.body = read_text(findings, *value, "body", max_body).value_or("");
        if (probe.method == "HEAD") {
            findings.error(
                value->span,
                "the answer to HEAD has no body to look into",
                "delete 'body', or set method = \"GET\""
            );
        }
    }
    if (const Value* value = table.find("grpc_service")) {
        probe.grpc_service =
            read_text(findings, *value, "grpc_service", max_grpc_service).value_or("");
    }
    read_flag(table, "http2", probe.http2);
    read_tls_keys(table, probe);
}

} // namespace penstock::config
