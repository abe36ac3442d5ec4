// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/probe_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace penstock::config {

namespace {

constexpr unsigned bit(ProbeType type) {
    return 1U << static_cast<unsigned>(type);
}

constexpr unsigned none = bit(ProbeType::none);
constexpr unsigned plain_http = bit(ProbeType::http) | bit(ProbeType::https);
constexpr unsigned grpc = bit(ProbeType::grpc);
constexpr unsigned secure = bit(ProbeType::https) | grpc;
constexpr unsigned udp = bit(ProbeType::udp);
constexpr unsigned dns = bit(ProbeType::dns);
constexpr unsigned script = bit(ProbeType::script);
constexpr unsigned agent = bit(ProbeType::agent);
constexpr unsigned probing =
    bit(ProbeType::tcp) | plain_http | grpc | udp | bit(ProbeType::icmp) | dns | script | agent;

struct Key {
    std::string_view word;
    unsigned types; ///< a bit for each type that has it
};

constexpr std::array probe_key_types{
    Key{"type", probing | none},
    Key{"port", probing & ~bit(ProbeType::icmp) & ~script},
    Key{"via", probing & ~script & ~agent},
    Key{"interval", probing},
    Key{"timeout", probing},
    Key{"fast_interval", probing},
    Key{"fall", probing},
    Key{"rise", probing},
    Key{"jitter", probing},
    Key{"concurrency", probing},
    Key{"method", plain_http},
    Key{"path", plain_http},
    Key{"host", plain_http | grpc},
    Key{"headers", plain_http | grpc},
    Key{"status", plain_http},
    Key{"body", plain_http},
    Key{"http2", plain_http},
    Key{"tls", grpc},
    Key{"tls_verify", secure},
    Key{"tls_name", secure},
    Key{"tls_ca", secure},
    Key{"grpc_service", grpc},
    Key{"send", udp | agent},
    Key{"send_hex", udp | agent},
    Key{"expect", udp},
    Key{"expect_hex", udp},
    Key{"query", dns},
    Key{"record", dns},
    Key{"rcode", dns},
    Key{"answer", dns},
    Key{"command", script},
    Key{"user", script},
};

constexpr auto words = [] {
    std::array<std::string_view, probe_key_types.size()> out;
    std::ranges::transform(probe_key_types, out.begin(), &Key::word);
    return out;
}();

/// The type that a key was probably meant for; nothing if all the probing ones have it.
std::optional<ProbeType> find_owner(const Key& key) {
    if ((key.types & bit(ProbeType::tcp)) != 0) {
        return std::nullopt;
    }
    for (unsigned each = 0; each <= static_cast<unsigned>(ProbeType::agent); ++each) {
        if ((key.types & (1U << each)) != 0) {
            return static_cast<ProbeType>(each);
        }
    }
    return std::nullopt;
}

} // namespace

std::span<const std::string_view> list_probe_keys() {
    return words;
}

bool has_probe_key(ProbeType type, std::string_view key) {
    const auto found = std::ranges::find(probe_key_types, key, &Key::word);
    return found != probe_key_types.end() && (found->types & bit(type)) != 0;
}

void refuse_idle_keys(const TableReader& table, ProbeType type) {
    for (const Key& key : probe_key_types) {
        if (table.find(key.word) == nullptr || (key.types & bit(type)) != 0) {
            continue;
        }
        const auto owner = type == ProbeType::none ? std::nullopt : find_owner(key);
        table.findings().error(
            table.key_span(key.word),
            fmt::format(
                "{} is of type '{}', which has no {}",
                table.what(),
                to_string(type),
                quote(key.word)
            ),
            fmt::format(
                "delete {}{}",
                quote(key.word),
                owner ? fmt::format(", or set type = \"{}\"", to_string(*owner)) : ""
            )
        );
    }
}

bool is_visible_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char character) {
        return character > ' ' && character < '\x7f';
    });
}

} // namespace penstock::config
