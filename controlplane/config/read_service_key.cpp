// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/sections.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace penstock::config {

namespace {

constexpr std::array protocols{Protocol::tcp, Protocol::udp, Protocol::any};

// Larger blocks are hardly one's own.
constexpr LeastLength least_vip_length{.ipv4_length = 8, .ipv6_length = 16};

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto parsed = std::from_chars(text.begin(), text.end(), port);
    const bool good = parsed.ec == std::errc() && parsed.ptr == text.end() && port > 0;
    return good ? std::optional(port) : std::nullopt;
}

// port = 80, "8000-8099" or "any".
bool read_ports(Findings& findings, const Value& value, ServiceKey& key) {
    if (value.kind == ValueKind::integer) {
        key.port = read_port_number(findings, value, "port").value_or(0);
        return key.port != 0;
    }
    if (value.kind != ValueKind::string) {
        findings.error(
            value.span,
            fmt::format(
                "port must be a number, a range or \"any\", but this is {}", describe(value.kind)
            ),
            "write port = 80, port = \"8000-8099\" or port = \"any\""
        );
        return false;
    }
    const std::string_view text = value.text;
    if (text == "any") {
        return true;
    }
    const std::size_t dash = text.find('-');
    const auto first = parse_port(text.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? std::nullopt : parse_port(text.substr(dash + 1));
    if (first && last && *first < *last) {
        key.port = *first;
        key.more_ports = static_cast<std::uint16_t>(*last - *first);
        return true;
    }
    const bool one = first && (dash == std::string_view::npos || first == last);
    findings.error(
        value.span,
        one ? fmt::format("port {} is one port, written as a range or in quotes", quote(text))
            : fmt::format("port {} is no range of ports", quote(text)),
        one ? fmt::format("write port = {}", *first)
            : "write the first and the last port, the smaller first: \"8000-8099\", from 1 to "
              "65535; or \"any\""
    );
    return false;
}

bool read_port(const TableReader& table, ServiceKey& key, std::optional<Protocol> protocol) {
    const bool any_protocol = protocol == Protocol::any;
    const Value* value = any_protocol ? table.find("port") : table.require("port", "port = 80");
    if (value == nullptr) {
        return any_protocol;
    }
    if (!read_ports(table.findings(), *value, key)) {
        return false;
    }
    if (any_protocol && !key.takes_any_port()) {
        table.findings().error(
            value->span,
            fmt::format("{} takes any protocol, and most have no ports", table.what()),
            "delete port or write port = \"any\"; or set protocol = \"tcp\" or \"udp\""
        );
        return false;
    }
    return true;
}

} // namespace

bool read_service_key(const TableReader& table, ServiceKey& key) {
    Findings& findings = table.findings();
    std::optional<IpPrefix> vip;
    std::optional<Protocol> protocol;
    if (const Value* value = table.require("vip", "vip = \"198.51.100.10\"")) {
        vip = read_host_prefix(findings, *value, "vip", least_vip_length);
    }
    if (const Value* value = table.require("protocol", "protocol = \"tcp\"")) {
        protocol = read_enum<Protocol>(findings, *value, "protocol", protocols);
    }
    const bool has_port = read_port(table, key, protocol);
    const IpPrefix block = vip.value_or(IpPrefix{});
    key.vip = block.address;
    key.host_bits = block.host_bits;
    key.protocol = protocol.value_or(Protocol::tcp);
    return vip && protocol && has_port;
}

} // namespace penstock::config
