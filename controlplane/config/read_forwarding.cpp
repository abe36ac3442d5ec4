// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/sections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace penstock::config {

namespace {

constexpr std::array forwardings{
    Forwarding::ipip, Forwarding::gre, Forwarding::gue, Forwarding::l2dsr, Forwarding::nat
};
constexpr std::array<std::string_view, 2> gue_keys{"variant", "port"};

constexpr IntegerRange variant_range{.least = 0, .most = 1};
// RFC 9293 3.7.1: 536 is what every IPv4 host takes; 65495 fills the largest IPv4 packet.
constexpr IntegerRange mss_range{.least = 536, .most = 65495, .unit = "bytes"};

// " 16381 65537 655373". Not by fmt::join: GCC 12 at -O3 sees an overflow in it that is none.
std::string list_maglev_sizes() {
    std::string out;
    for (const std::uint32_t size : maglev_sizes) {
        out += ' ';
        out += std::to_string(size);
    }
    return out;
}

void read_maglev_size(const TableReader& table, ServiceSpec& spec) {
    Findings& findings = table.findings();
    const Value* size = table.find("maglev_size");
    if (size == nullptr || !expect_kind(findings, *size, ValueKind::integer, "maglev_size")) {
        return;
    }
    const auto known = std::ranges::find(maglev_sizes, size->integer, [](std::uint32_t each) {
        return std::int64_t{each};
    });
    if (known == maglev_sizes.end()) {
        findings.error(
            size->span,
            fmt::format("maglev_size {} is not offered", size->integer),
            "write one of these primes:" + list_maglev_sizes()
        );
        return;
    }
    spec.maglev_size = *known;
}

void check_nat(
    const TableReader& table, const ServiceSpec& spec, const std::vector<AddressPlace>& nat_sources
) {
    const Span& span = table.find("forwarding")->span;
    if (spec.key.protocol == Protocol::any) {
        table.findings().error(
            span,
            fmt::format("{} takes any protocol, but nat rewrites ports", table.what()),
            "set protocol = \"tcp\" or \"udp\", or another forwarding"
        );
    }
    const Family family = spec.key.vip.family();
    const bool has_source = std::ranges::any_of(nat_sources, [family](const AddressPlace& source) {
        return source.address.family() == family;
    });
    if (!has_source && !spec.key.vip.is_unspecified()) {
        const bool is_ipv4 = family == Family::ipv4;
        table.findings().error(
            span,
            fmt::format(
                "forwarding nat, but [nat] source has no {} address", is_ipv4 ? "IPv4" : "IPv6"
            ),
            fmt::format(
                "add addresses that are NAT's alone: [nat] with source = [\"{}\"]",
                is_ipv4 ? "198.51.100.240" : "2001:db8::240"
            )
        );
    }
}

void read_gue(const TableReader& table, ServiceSpec& spec) {
    const Value* value = table.find("gue");
    if (value == nullptr) {
        return;
    }
    Findings& findings = table.findings();
    if (spec.forwarding != Forwarding::gue) {
        findings.error(
            table.key_span("gue"),
            fmt::format(
                "{} has the parameters of gue, but forwards by {}",
                table.what(),
                to_string(spec.forwarding)
            ),
            "delete gue, or set forwarding = \"gue\""
        );
    }
    if (!expect_kind(findings, *value, ValueKind::table, "gue")) {
        return;
    }
    const TableReader gue(findings, *value, fmt::format("gue of {}", table.what()), gue_keys);
    if (const Value* variant = gue.find("variant")) {
        const auto number = read_integer(findings, *variant, "variant", variant_range);
        spec.gue_variant = static_cast<std::uint8_t>(number.value_or(0));
    }
    if (const Value* port = gue.find("port")) {
        spec.gue_port = read_port_number(findings, *port, "gue port").value_or(0);
    }
}

void read_toa(const TableReader& table, ServiceSpec& spec) {
    const Value* value = table.find("toa");
    if (value == nullptr) {
        return;
    }
    spec.toa = read_boolean(table.findings(), *value, "toa").value_or(false);
    const bool fits = spec.forwarding == Forwarding::nat && spec.key.protocol == Protocol::tcp;
    if (spec.toa && !fits) {
        table.findings().error(
            table.key_span("toa"),
            fmt::format(
                "{} has toa, but is {} by {}",
                table.what(),
                to_string(spec.key.protocol),
                to_string(spec.forwarding)
            ),
            "delete toa: only nat hides the client's address, and only tcp has the option for it"
        );
    }
}

void read_mss_clamp(const TableReader& table, ServiceSpec& spec) {
    const Value* value = table.find("mss_clamp");
    if (value == nullptr) {
        return;
    }
    const auto bytes = read_integer(table.findings(), *value, "mss_clamp", mss_range);
    spec.mss_clamp = static_cast<std::uint16_t>(bytes.value_or(0));
    if (spec.key.protocol == Protocol::udp) {
        table.findings().error(
            table.key_span("mss_clamp"),
            fmt::format("{} has mss_clamp, but is udp", table.what()),
            "delete mss_clamp: only tcp announces a segment size"
        );
    }
}

} // namespace

void read_forwarding(
    const TableReader& table, ServiceSpec& spec, const std::vector<AddressPlace>& nat_sources
) {
    if (const Value* value = table.require("forwarding", "forwarding = \"ipip\"")) {
        const auto mode =
            read_enum<Forwarding>(table.findings(), *value, "forwarding", forwardings);
        if (!mode) {
            return; // what follows depends on it
        }
        spec.forwarding = *mode;
        if (*mode == Forwarding::nat) {
            check_nat(table, spec, nat_sources);
        }
        read_gue(table, spec);
        read_toa(table, spec);
    }
    read_mss_clamp(table, spec);
    read_maglev_size(table, spec);
}

} // namespace penstock::config
