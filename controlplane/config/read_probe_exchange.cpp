// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/address_reader.hpp"
#include "controlplane/config/probe_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace penstock::config {

namespace {

constexpr std::size_t max_payload = 1024;
constexpr std::size_t max_name = 253;
constexpr std::size_t max_label = 63;
constexpr std::size_t max_words = 64;
constexpr std::size_t max_word = 4095;
constexpr std::size_t max_user = 32;
constexpr std::array records{DnsRecord::a, DnsRecord::aaaa};
constexpr std::array<std::string_view, 6> rcodes{
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"
};

std::optional<std::string> parse_hex(std::string_view text) {
    if (text.empty() || text.size() % 2 != 0) {
        return std::nullopt;
    }
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        std::uint8_t byte = 0;
        const char* end = text.data() + i + 2;
        const auto parsed = std::from_chars(text.data() + i, end, byte, 16);
        if (parsed.ec != std::errc() || parsed.ptr != end) {
            return std::nullopt;
        }
        bytes += static_cast<char>(byte);
    }
    return bytes;
}

/// `key` as it is, or `hex_key` as bytes; both are a finding.
void read_bytes(
    const TableReader& table, std::string_view key, std::string_view hex_key, std::string& out
) {
    Findings& findings = table.findings();
    const Value* text = table.find(key);
    const Value* hex = table.find(hex_key);
    if (text != nullptr && hex != nullptr) {
        findings.error(
            table.key_span(hex_key),
            fmt::format("both {} and {}", quote(key), quote(hex_key)),
            "delete one of the two"
        );
        return;
    }
    // Not read_text(): control characters are what protocols are made of.
    const Value* given = text != nullptr ? text : hex;
    if (given == nullptr || !expect_kind(findings, *given, ValueKind::string, key)) {
        return;
    }
    const auto bytes = text != nullptr ? std::optional(text->text) : parse_hex(hex->text);
    if (!bytes) {
        findings.error(
            given->span,
            fmt::format("{} {} are no bytes", hex_key, quote(given->text)),
            "write two hexadecimal digits a byte: \"0a1bff\""
        );
    } else if (bytes->empty() || bytes->size() > max_payload) {
        findings.error(
            given->span,
            fmt::format("{} has {} bytes, 1 to {} are possible", key, bytes->size(), max_payload),
            bytes->empty() ? "write at least one byte, or delete it" : "shorten it"
        );
    } else {
        out = *bytes;
    }
}

bool is_domain_name(std::string_view text) {
    if (!is_visible_ascii(text) || text.find('\\') != std::string_view::npos) {
        return false;
    }
    if (text.ends_with('.')) {
        text.remove_suffix(1);
    }
    std::size_t length = 0;
    for (const char character : text) {
        if (character != '.') {
            ++length;
        } else if (length == 0 || length > max_label) {
            return false;
        } else {
            length = 0;
        }
    }
    return length > 0 && length <= max_label;
}

void read_answer(Findings& findings, const Value& value, ProbeConfig& probe) {
    const auto address = read_host_address(findings, value, "answer");
    if (address && address->is_ipv4() != (probe.record == DnsRecord::a)) {
        findings.error(
            value.span,
            fmt::format(
                "answer {} is no answer to a query for {}",
                address->to_string(),
                to_string(probe.record)
            ),
            fmt::format("set record = \"{}\"", address->is_ipv4() ? "A" : "AAAA")
        );
    }
    probe.answer = address;
}

std::optional<std::string> read_argument(Findings& findings, const Value& item, bool is_program) {
    auto word = read_text(findings, item, "a word of command", max_word);
    if (word && is_program && !word->starts_with('/')) {
        findings.error(
            item.span,
            fmt::format("the program {} is no absolute path", quote(*word)),
            "write it from the root: \"/usr/local/bin/check-web\"; no shell and no PATH is used"
        );
        return std::nullopt;
    }
    return word;
}

} // namespace

void read_datagram_keys(const TableReader& table, ProbeConfig& probe) {
    Findings& findings = table.findings();
    read_bytes(table, "send", "send_hex", probe.send);
    read_bytes(table, "expect", "expect_hex", probe.expect);
    if (const Value* value = table.find("query")) {
        probe.query = read_text(findings, *value, "query", max_name).value_or("");
        if (!probe.query.empty() && !is_domain_name(probe.query)) {
            findings.error(
                value->span,
                fmt::format("query {} is no domain name", quote(probe.query)),
                "write labels of 1 to 63 characters joined by dots: \"www.example.org\""
            );
        }
    }
    if (const Value* value = table.find("record")) {
        probe.record =
            read_enum<DnsRecord>(findings, *value, "record", records).value_or(DnsRecord::a);
    }
    if (const Value* value = table.find("rcode")) {
        const auto index = read_word(findings, *value, "rcode", rcodes);
        probe.rcode = static_cast<std::uint8_t>(index.value_or(0));
    }
    if (const Value* value = table.find("answer")) {
        read_answer(findings, *value, probe);
        if (probe.rcode != 0) {
            findings.error(
                value->span,
                fmt::format("{} comes without an answer", describe_rcode(probe.rcode)),
                "delete 'answer' or 'rcode'"
            );
        }
    }
}

void read_script_keys(const TableReader& table, ProbeConfig& probe) {
    Findings& findings = table.findings();
    const Value* command = table.find("command");
    if (command != nullptr && expect_kind(findings, *command, ValueKind::array, "command")) {
        if (command->items.empty() || command->items.size() > max_words) {
            findings.error(
                command->span,
                fmt::format(
                    "command has {} words, 1 to {} are possible", command->items.size(), max_words
                ),
                "write the program and its arguments: [\"/usr/local/bin/check-web\", \"-v\"]"
            );
            return;
        }
        for (const Value& item : command->items) {
            if (auto word = read_argument(findings, item, probe.command.empty())) {
                probe.command.push_back(std::move(*word));
            } else {
                break; // the next word would be taken for the program
            }
        }
    }
    const Value* user = table.find("user");
    if (user == nullptr) {
        return;
    }
    probe.user = read_text(findings, *user, "user", max_user).value_or("");
    if (probe.user == "root") {
        findings.warn(
            user->span,
            "the script runs as root: a mistake in it can do anything to this host",
            "write a user that can do nothing else: \"nobody\""
        );
    }
}

} // namespace penstock::config
