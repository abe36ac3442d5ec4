// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/sections.hpp"

#include <fmt/format.h>

#include <array>

namespace penstock::config {

namespace {

constexpr std::array affinities{Affinity::tuple, Affinity::client, Affinity::client_port};
constexpr std::array down_policies{DownPolicy::rehash, DownPolicy::keep, DownPolicy::reset};

void read_track(const TableReader& table, ServiceSpec& spec) {
    const Value* value = table.find("track");
    if (value == nullptr) {
        return;
    }
    const auto track = read_boolean(table.findings(), *value, "track");
    if (!track || *track) {
        return;
    }
    spec.track = false;
    if (spec.forwarding == Forwarding::nat) {
        table.findings().error(
            value->span,
            fmt::format("{} forwards by nat, which must remember every flow", table.what()),
            "delete track, or choose another forwarding"
        );
    } else if (spec.key.protocol == Protocol::tcp) {
        table.findings().warn(
            value->span,
            fmt::format("{} is tcp and remembers no flow", table.what()),
            "delete track: a change of the backends moves connections in the middle, and they break"
        );
    }
}

void read_affinity(const TableReader& table, ServiceSpec& spec) {
    Findings& findings = table.findings();
    if (const Value* value = table.find("affinity")) {
        const auto affinity = read_enum<Affinity>(findings, *value, "affinity", affinities);
        spec.affinity = affinity.value_or(Affinity::tuple);
    }
    const Value* prefix = table.find("affinity_prefix");
    if (prefix == nullptr) {
        return;
    }
    if (spec.affinity != Affinity::client) {
        findings.error(
            table.key_span("affinity_prefix"),
            fmt::format("{} has affinity_prefix, but not affinity = \"client\"", table.what()),
            "add affinity = \"client\", or delete affinity_prefix"
        );
        return;
    }
    // A service is of one family, and so are its clients.
    const std::uint8_t bits = address_bits(spec.key.vip.family());
    const auto length = read_integer(
        findings, *prefix, "affinity_prefix", {.least = 1, .most = bits, .unit = "bits"}
    );
    spec.affinity_host_bits = static_cast<std::uint8_t>(bits - length.value_or(bits));
}

void read_on_down(const TableReader& table, ServiceSpec& spec) {
    const Value* value = table.find("on_down");
    if (value == nullptr) {
        return;
    }
    Findings& findings = table.findings();
    const auto policy = read_enum<DownPolicy>(findings, *value, "on_down", down_policies);
    if (!policy) {
        return;
    }
    spec.on_down = *policy;
    if (!spec.track && *policy != DownPolicy::rehash) {
        findings.error(
            value->span,
            fmt::format(
                "on_down is {}, but {} remembers no flow", quote(to_string(*policy)), table.what()
            ),
            "delete on_down, or track = false"
        );
    } else if (*policy == DownPolicy::reset && spec.key.protocol == Protocol::udp) {
        findings.error(
            value->span,
            fmt::format("on_down is 'reset', but {} is udp, which has no reset", table.what()),
            "write on_down = \"rehash\" or \"keep\""
        );
    }
}

} // namespace

void read_flow_policy(const TableReader& table, ServiceSpec& spec) {
    read_track(table, spec);
    read_affinity(table, spec);
    read_on_down(table, spec);
}

} // namespace penstock::config
