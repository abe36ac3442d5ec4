// SPDX-License-Identifier: Apache-2.0
// QUIC-LB configurations: draft-ietf-quic-load-balancers 2, 3.
#include "controlplane/config/first_places.hpp"
#include "controlplane/config/sections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 4> quic_keys{
    "config_id", "server_id_bytes", "nonce_bytes", "key"
};

constexpr IntegerRange config_id_range{.least = 0, .most = max_quic_configs - 1};
constexpr IntegerRange server_id_range{
    .least = 1, .most = max_quic_server_id_bytes, .unit = "bytes"
};
constexpr IntegerRange nonce_range{.least = 4, .most = 18, .unit = "bytes"};
constexpr int max_encoded_bytes = 19; // of a connection id of 20 bytes, without its first

std::uint8_t read_number(
    const TableReader& table,
    std::string_view key,
    std::string_view example,
    const IntegerRange& range
) {
    const Value* value = table.require(key, example);
    const auto number =
        value != nullptr ? read_integer(table.findings(), *value, key, range) : std::nullopt;
    return static_cast<std::uint8_t>(number.value_or(0));
}

QuicLbSpec read_config(const TableReader& table) {
    QuicLbSpec quic;
    quic.config_id = read_number(table, "config_id", "config_id = 0", config_id_range);
    quic.server_id_bytes =
        read_number(table, "server_id_bytes", "server_id_bytes = 4", server_id_range);
    quic.nonce_bytes = read_number(table, "nonce_bytes", "nonce_bytes = 8", nonce_range);
    if (quic.server_id_bytes + quic.nonce_bytes > max_encoded_bytes) {
        table.findings().error(
            table.find("nonce_bytes")->span,
            fmt::format(
                "server id and nonce have {} bytes together, and a connection id has room for {}",
                quic.server_id_bytes + quic.nonce_bytes,
                max_encoded_bytes
            ),
            "shorten one of the two"
        );
    }
    if (const Value* value = table.find("key")) {
        if (const auto key = read_hex(table.findings(), *value, "key", 16, 16)) {
            std::ranges::copy(*key, quic.key.emplace().begin());
        }
    }
    return quic;
}

// A server has one id, whichever configuration its clients have met.
void check_server_id_bytes(
    const TableReader& table, const std::vector<QuicLbSpec>& all, const QuicLbSpec& quic
) {
    const std::uint8_t first = all.front().server_id_bytes;
    if (first != 0 && quic.server_id_bytes != 0 && quic.server_id_bytes != first) {
        table.findings().error(
            table.find("server_id_bytes")->span,
            fmt::format(
                "server_id_bytes is {} here and {} in the configuration before",
                quic.server_id_bytes,
                first
            ),
            "give all configurations of a service ids of one length: a backend has one server_id"
        );
    }
}

} // namespace

void read_quic(const TableReader& table, ServiceSpec& spec) {
    const Value* list = table.find("quic");
    Findings& findings = table.findings();
    if (list == nullptr || !expect_kind(findings, *list, ValueKind::array, "quic")) {
        return;
    }
    if (spec.key.protocol != Protocol::udp) {
        findings.error(
            table.key_span("quic"),
            fmt::format(
                "{} routes by QUIC connection ids, but is {}",
                table.what(),
                to_string(spec.key.protocol)
            ),
            "set protocol = \"udp\", or delete quic"
        );
    }
    FirstPlaces<std::uint8_t> seen;
    for (const Value& item : list->items) {
        if (!expect_kind(findings, item, ValueKind::table, "quic")) {
            continue;
        }
        const TableReader config(
            findings, item, fmt::format("a quic of {}", table.what()), quic_keys
        );
        spec.quic.push_back(read_config(config));
        check_server_id_bytes(config, spec.quic, spec.quic.back());
        const Value* id = config.find("config_id");
        const bool is_read = id != nullptr && id->integer == spec.quic.back().config_id &&
                             id->kind == ValueKind::integer;
        const auto first = is_read ? seen.add(spec.quic.back().config_id, id->span) : std::nullopt;
        if (first) {
            findings.error(
                id->span,
                fmt::format(
                    "config_id {} is given twice, first at {}",
                    spec.quic.back().config_id,
                    findings.describe(*first)
                ),
                fmt::format(
                    "give each configuration an id of its own, 0 to {}", max_quic_configs - 1
                )
            );
        }
    }
}

} // namespace penstock::config
