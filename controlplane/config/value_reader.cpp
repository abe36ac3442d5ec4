// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/value_reader.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

namespace penstock::config {

namespace {

constexpr std::size_t max_name = 63;

struct Unit {
    std::string_view word;
    std::int64_t milliseconds;
};

constexpr std::array<Unit, 4> units{{{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}}};

bool is_name_character(char character) {
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character == '.' || character == '_' ||
           character == '-';
}

std::string describe_range(const IntegerRange& range) {
    const std::string unit = range.unit.empty() ? "" : fmt::format(" {}", range.unit);
    return fmt::format("{} to {}{}", range.least, range.most, unit);
}

// "32", or "an even number, 2 to 30, of".
std::string describe_digits(std::size_t least_bytes, std::size_t most_bytes) {
    return least_bytes == most_bytes
               ? fmt::format("{}", 2 * least_bytes)
               : fmt::format("an even number, {} to {}, of", 2 * least_bytes, 2 * most_bytes);
}

// What to do about a value of the wrong kind: what the file most likely meant.
std::string remedy_kind(const Value& value, ValueKind wanted) {
    if (wanted == ValueKind::integer && value.kind == ValueKind::string) {
        return "write the number without quotes";
    }
    if (wanted == ValueKind::integer && value.kind == ValueKind::floating) {
        return "write a whole number";
    }
    if (wanted == ValueKind::string && value.kind != ValueKind::table &&
        value.kind != ValueKind::array) {
        return "put the value in double quotes";
    }
    if (wanted == ValueKind::array) {
        return value.kind == ValueKind::table ? "write a list: [ { … }, … ], or [[…]] for a table"
                                              : "put the value in brackets: [ … ]";
    }
    if (wanted == ValueKind::table) {
        return value.kind == ValueKind::array ? "write it once, as a table: one pair of brackets"
                                              : "write a table: { key = value, … }";
    }
    return fmt::format("write {}", describe(wanted));
}

} // namespace

TableReader::TableReader(
    Findings& findings, const Value& table, std::string what, std::span<const std::string_view> keys
)
    : findings_(findings), table_(table), what_(std::move(what)) {
    for (const Member& member : table_.members) {
        if (std::ranges::find(keys, std::string_view(member.key)) != keys.end()) {
            continue;
        }
        const auto meant = findings_.is_full() ? std::nullopt : suggest(member.key, keys);
        if (meant) {
            misspelt_.push_back(*meant);
        }
        findings_.error(
            member.key_span,
            fmt::format("unknown key {} in {}", quote(member.key), what_),
            meant ? fmt::format("did you mean {}?", quote(*meant))
                  : fmt::format("it takes {}", join_words(keys))
        );
    }
}

const Value* TableReader::require(std::string_view key, std::string_view example) const {
    const Value* value = find(key);
    // A misspelt key has been reported: one mistake, one message.
    if (value == nullptr && std::ranges::find(misspelt_, key) == misspelt_.end()) {
        findings_.error(
            table_.span,
            fmt::format("{} has no {}", what_, quote(key)),
            fmt::format("add it, for example: {}", example)
        );
    }
    return value;
}

Span TableReader::key_span(std::string_view key) const {
    const auto found = std::ranges::find(table_.members, key, &Member::key);
    return found == table_.members.end() ? table_.span : found->key_span;
}

bool expect_kind(Findings& findings, const Value& value, ValueKind kind, std::string_view what) {
    if (value.kind == kind) {
        return true;
    }
    findings.error(
        value.span,
        fmt::format("{} must be {}, but this is {}", what, describe(kind), describe(value.kind)),
        remedy_kind(value, kind)
    );
    return false;
}

std::optional<std::int64_t> read_integer(
    Findings& findings, const Value& value, std::string_view what, const IntegerRange& range
) {
    if (!expect_kind(findings, value, ValueKind::integer, what)) {
        return std::nullopt;
    }
    if (value.integer < range.least || value.integer > range.most) {
        findings.error(
            value.span,
            fmt::format("{} {} is outside {}", what, value.integer, describe_range(range)),
            fmt::format("write a number from {}", describe_range(range))
        );
        return std::nullopt;
    }
    return value.integer;
}

std::optional<std::uint16_t>
read_port_number(Findings& findings, const Value& value, std::string_view what) {
    const auto number = read_integer(findings, value, what, {.least = 1, .most = 65535});
    return number ? std::optional(static_cast<std::uint16_t>(*number)) : std::nullopt;
}

std::optional<std::string>
read_text(Findings& findings, const Value& value, std::string_view what, std::size_t max_bytes) {
    if (!expect_kind(findings, value, ValueKind::string, what)) {
        return std::nullopt;
    }
    if (value.text.empty()) {
        findings.error(
            value.span, fmt::format("{} is empty", what), "give it a value, or delete the key"
        );
        return std::nullopt;
    }
    if (value.text.size() > max_bytes) {
        findings.error(
            value.span,
            fmt::format("{} is longer than {} bytes", what, max_bytes),
            fmt::format("shorten it to {} bytes", max_bytes)
        );
        return std::nullopt;
    }
    if (make_printable(value.text) != value.text || value.text.find('\t') != std::string::npos) {
        findings.error(value.span, fmt::format("{} holds a control character", what), "delete it");
        return std::nullopt;
    }
    return value.text;
}

std::optional<std::string>
read_name(Findings& findings, const Value& value, std::string_view what) {
    if (!expect_kind(findings, value, ValueKind::string, what)) {
        return std::nullopt;
    }
    const bool good = !value.text.empty() && value.text.size() <= max_name &&
                      std::ranges::all_of(value.text, is_name_character);
    if (!good) {
        findings.error(
            value.span,
            fmt::format("{} {} is no usable name", what, quote(value.text)),
            fmt::format("use 1 to {} of the characters A-Z a-z 0-9 . _ -", max_name)
        );
        return std::nullopt;
    }
    return value.text;
}

std::optional<std::size_t> read_word(
    Findings& findings,
    const Value& value,
    std::string_view what,
    std::span<const std::string_view> words
) {
    if (value.kind != ValueKind::string) {
        findings.error(
            value.span,
            fmt::format("{} must be a string, but this is {}", what, describe(value.kind)),
            fmt::format("write {} in quotes", join_words(words))
        );
        return std::nullopt;
    }
    const auto found = std::ranges::find(words, std::string_view(value.text));
    if (found != words.end()) {
        return static_cast<std::size_t>(found - words.begin());
    }
    const auto meant = suggest(value.text, words);
    const std::string choice =
        words.size() == 1 ? ""
                          : fmt::format("{}t can be {}", meant ? " I" : "i", join_words(words));
    findings.error(
        value.span,
        fmt::format("unknown {} {}", what, quote(value.text)),
        meant              ? fmt::format("did you mean {}?{}", quote(*meant), choice)
        : words.size() > 1 ? choice
                           : fmt::format("it can only be {}", join_words(words))
    );
    return std::nullopt;
}

std::optional<bool> read_boolean(Findings& findings, const Value& value, std::string_view what) {
    if (value.kind != ValueKind::boolean) {
        findings.error(
            value.span,
            fmt::format("{} must be a boolean, but this is {}", what, describe(value.kind)),
            "write true or false, without quotes"
        );
        return std::nullopt;
    }
    return value.boolean;
}

std::optional<std::vector<std::uint8_t>> read_hex(
    Findings& findings,
    const Value& value,
    std::string_view what,
    std::size_t least,
    std::size_t most
) {
    if (!expect_kind(findings, value, ValueKind::string, what)) {
        return std::nullopt;
    }
    std::vector<std::uint8_t> bytes(value.text.size() / 2);
    bool good = value.text.size() % 2 == 0 && bytes.size() >= least && bytes.size() <= most;
    for (std::size_t i = 0; good && i < bytes.size(); ++i) {
        const char* begin = value.text.data() + (i * 2);
        const auto parsed = std::from_chars(begin, begin + 2, bytes[i], 16);
        good = parsed.ec == std::errc() && parsed.ptr == begin + 2;
    }
    if (!good) {
        // Not the text itself: it may be a key.
        findings.error(
            value.span,
            fmt::format("{} is not {} hexadecimal digits", what, describe_digits(least, most)),
            "write two digits a byte, without spaces or 0x: \"0a1b2c3d\""
        );
        return std::nullopt;
    }
    return bytes;
}

std::optional<std::uint32_t> read_duration_ms(
    Findings& findings, const Value& value, std::string_view what, const IntegerRange& range_ms
) {
    if (value.kind == ValueKind::integer) {
        findings.error(
            value.span,
            fmt::format("{} has no unit", what),
            fmt::format(
                "write a string with a unit: \"{0}ms\", \"{0}s\", \"{0}m\" or \"{0}h\"",
                value.integer
            )
        );
        return std::nullopt;
    }
    if (!expect_kind(findings, value, ValueKind::string, what)) {
        return std::nullopt;
    }
    std::int64_t count = 0;
    const char* begin = value.text.data();
    const char* end = begin + value.text.size();
    const auto parsed = std::from_chars(begin, end, count);
    const auto unit = std::ranges::find(units, std::string_view(parsed.ptr, end), &Unit::word);
    const bool digits = parsed.ptr != begin && *begin != '-' && *begin != '+';
    if (!digits || parsed.ec != std::errc() || unit == units.end()) {
        findings.error(
            value.span,
            fmt::format("{} {} is no duration", what, quote(value.text)),
            "write a whole number and a unit: \"500ms\", \"2s\", \"15m\" or \"1h\""
        );
        return std::nullopt;
    }
    if (count > range_ms.most / unit->milliseconds || count * unit->milliseconds < range_ms.least) {
        findings.error(
            value.span,
            fmt::format(
                "{} {} is outside {} to {}",
                what,
                quote(value.text),
                format_duration(range_ms.least),
                format_duration(range_ms.most)
            ),
            fmt::format(
                "write a duration from \"{}\" to \"{}\"",
                format_duration(range_ms.least),
                format_duration(range_ms.most)
            )
        );
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(count * unit->milliseconds);
}

std::string format_duration(std::int64_t milliseconds) {
    for (std::size_t i = units.size(); i-- > 1;) {
        if (milliseconds != 0 && milliseconds % units[i].milliseconds == 0) {
            return fmt::format("{}{}", milliseconds / units[i].milliseconds, units[i].word);
        }
    }
    return fmt::format("{}ms", milliseconds);
}

} // namespace penstock::config
