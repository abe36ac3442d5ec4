// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/token_file.hpp"

#include "controlplane/config/findings.hpp"
#include "controlplane/config/first_places.hpp"
#include "controlplane/config/read_file.hpp"
#include "controlplane/config/sources.hpp"
#include "controlplane/config/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace penstock::config {

namespace {

constexpr std::string_view blanks = " \t\r";
constexpr std::string_view hash_prefix = "sha256:";
constexpr std::string_view make_one = "penstock token create writes such lines";
constexpr std::size_t max_name_bytes = 63;

struct Word {
    std::string_view text;
    Span span;
};

std::vector<Word> split_words(std::string_view line, std::uint32_t number, std::uint32_t file) {
    std::vector<Word> words;
    line = line.substr(0, line.find('#'));
    std::size_t at = line.find_first_not_of(blanks);
    while (at != std::string_view::npos) {
        const std::size_t end = std::min(line.find_first_of(blanks, at), line.size());
        words.push_back(
            {.text = line.substr(at, end - at),
             .span =
                 {
                     .line = number,
                     .column = static_cast<std::uint32_t>(at + 1),
                     .length = static_cast<std::uint32_t>(end - at),
                     .file = file,
                 }}
        );
        at = line.find_first_not_of(blanks, end);
    }
    return words;
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= max_name_bytes && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
    });
}

/// Exactly "2027-02-23T14:40:00Z", and a day that there is.
std::optional<std::int64_t> parse_time(std::string_view text) {
    const std::string copy(text);
    std::tm parts{};
    const char* end = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (end == nullptr || *end != '\0') {
        return std::nullopt;
    }
    const std::int64_t seconds = ::timegm(&parts);
    return format_token_time(seconds) == text ? std::optional(seconds) : std::nullopt;
}

std::optional<TokenHash> parse_hash(std::string_view text) {
    TokenHash hash{};
    if (!text.starts_with(hash_prefix)) {
        return std::nullopt;
    }
    text.remove_prefix(hash_prefix.size());
    constexpr std::string_view digits = "0123456789abcdef";
    if (text.size() != 2 * hash.size() ||
        text.find_first_not_of(digits) != std::string_view::npos) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < hash.size(); ++i) {
        hash[i] = static_cast<std::uint8_t>(
            digits.find(text[2 * i]) << 4U | digits.find(text[2 * i + 1])
        );
    }
    return hash;
}

std::optional<TokenEntry> read_entry(Findings& findings, const std::vector<Word>& words) {
    if (words.size() != 4) {
        Span span = words.front().span;
        span.length = words.back().span.column + words.back().span.length - span.column;
        findings.error(
            span,
            fmt::format("{} words in a line of a token", words.size()),
            fmt::format("write name, role, time of expiry or never, and hash: {}", make_one)
        );
        return std::nullopt;
    }
    const std::size_t before = findings.error_count();
    TokenEntry entry{.name = std::string(words[0].text), .line = words[0].span.line};
    if (!is_name(words[0].text)) {
        findings.error(
            words[0].span,
            fmt::format("{} is no name", quote(words[0].text)),
            "write 1 to 63 of A-Z a-z 0-9 . _ -"
        );
    }
    const auto role = parse_api_role(words[1].text);
    if (!role) {
        findings.error(
            words[1].span,
            fmt::format("{} is no role", quote(words[1].text)),
            "write viewer, operator or admin"
        );
    }
    entry.role = role.value_or(ApiRole::viewer);
    if (words[2].text != "never") {
        entry.expires_s = parse_time(words[2].text);
        if (!entry.expires_s) {
            findings.error(
                words[2].span,
                fmt::format("{} is no time", quote(words[2].text)),
                "write never, or a time in UTC: 2027-02-23T14:40:00Z"
            );
        }
    }
    const auto hash = parse_hash(words[3].text);
    if (!hash) {
        const bool is_token = words[3].text.starts_with(token_prefix);
        findings.error(
            words[3].span,
            is_token ? std::string("this is a token, not its hash: whoever reads the file has it")
                     : fmt::format("{} is no hash", quote(words[3].text)),
            is_token ? "delete the line, make another: penstock token create"
                     : fmt::format("write sha256: and 64 hexadecimal digits; {}", make_one)
        );
    }
    entry.hash = hash.value_or(TokenHash{});
    return findings.error_count() == before ? std::optional(std::move(entry)) : std::nullopt;
}

} // namespace

std::expected<std::vector<TokenEntry>, Diagnostics>
parse_token_file(std::string_view text, const std::string& file_name) {
    if (text.size() > max_token_file_bytes) {
        return std::unexpected(
            Diagnostics{explain_size(file_name, text.size(), max_token_file_bytes)}
        );
    }
    Sources sources;
    const std::uint32_t file = sources.add(std::string(text), file_name);
    Findings findings(sources);
    std::vector<TokenEntry> entries;
    FirstPlaces<std::string> names;
    std::uint32_t number = 0;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const auto words = split_words(text.substr(begin, end - begin), ++number, file);
        begin = end + 1;
        if (words.empty()) {
            continue;
        }
        auto entry = read_entry(findings, words);
        if (!entry) {
            continue;
        }
        if (const auto first = names.add(entry->name, words[0].span)) {
            findings.error(
                words[0].span,
                fmt::format(
                    "token {} is there twice, first at {}",
                    quote(entry->name),
                    findings.describe(*first)
                ),
                "give every token a name of its own, or delete one of the two lines"
            );
        }
        if (entries.size() == max_tokens) {
            findings.error(
                words[0].span,
                fmt::format("more than {} tokens", max_tokens),
                "delete those that are not used: penstock token revoke"
            );
            break;
        }
        entries.push_back(std::move(*entry));
    }
    if (findings.error_count() == 0) {
        return entries;
    }
    Diagnostics diagnostics = findings.take();
    for (Diagnostic& diagnostic : diagnostics) {
        // A token that stands there by mistake must not reach logs by way of the quoted line.
        if (diagnostic.line.find(token_prefix) != std::string::npos) {
            diagnostic.line.clear();
        }
    }
    return std::unexpected(std::move(diagnostics));
}

std::string format_token_line(const TokenEntry& entry) {
    return fmt::format(
        "{}  {}  {}  {}{:02x}\n",
        entry.name,
        to_string(entry.role),
        entry.expires_s ? format_token_time(*entry.expires_s) : std::string("never"),
        hash_prefix,
        fmt::join(entry.hash, "")
    );
}

std::string format_token_time(std::int64_t seconds) {
    const std::time_t time = seconds;
    std::tm parts{};
    if (::gmtime_r(&time, &parts) == nullptr) {
        return "never";
    }
    char text[64] = {};
    const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text, length};
}

} // namespace penstock::config
