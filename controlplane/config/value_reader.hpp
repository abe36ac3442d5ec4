// SPDX-License-Identifier: Apache-2.0
// Typed, bounded reading of a document's values. Whatever is wrong becomes a finding at its place,
// and the caller gets nothing: a bad value is never replaced by a default.
//
// Thread rule: one thread, the Findings'.
#pragma once

#include "controlplane/config/document.hpp"
#include "controlplane/config/findings.hpp"
#include "controlplane/config/text.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::config {

/// A table and the keys that it may have. The constructor reports every other key. REQUIRES: the
/// keys are literals, or outlive this.
class TableReader {
public:
    /// `what` names the table in messages: "[node]", "a backend of service 'web'". REQUIRES:
    /// `table` and `findings` outlive this; table.kind is table.
    TableReader(
        Findings& findings,
        const Value& table,
        std::string what,
        std::span<const std::string_view> keys
    );

    [[nodiscard]] const Value* find(std::string_view key) const { return table_.find(key); }

    /// Reports a missing key at the table; `example` is a line that would mend it.
    [[nodiscard]] const Value* require(std::string_view key, std::string_view example) const;

    /// Where `key` itself stands. REQUIRES: find(key).
    [[nodiscard]] Span key_span(std::string_view key) const;

    [[nodiscard]] Findings& findings() const { return findings_; }

    [[nodiscard]] const std::string& what() const { return what_; }

    [[nodiscard]] const Span& span() const { return table_.span; }

private:
    Findings& findings_;
    const Value& table_;
    std::string what_;
    std::vector<std::string_view> misspelt_; ///< keys that an unknown one probably means
};

/// False, and a finding, if the value is of another kind. `what` names the value: "weight".
[[nodiscard]] bool
expect_kind(Findings& findings, const Value& value, ValueKind kind, std::string_view what);

/// Least and largest value that is accepted, and what the number counts ("", "MB", "percent").
struct IntegerRange {
    std::int64_t least;
    std::int64_t most;
    std::string_view unit = "";
};

[[nodiscard]] std::optional<std::int64_t> read_integer(
    Findings& findings, const Value& value, std::string_view what, const IntegerRange& range
);

/// A port number, 1 … 65535.
[[nodiscard]] std::optional<std::uint16_t>
read_port_number(Findings& findings, const Value& value, std::string_view what);

/// Any string of 1 … `max_bytes` printable characters.
[[nodiscard]] std::optional<std::string>
read_text(Findings& findings, const Value& value, std::string_view what, std::size_t max_bytes);

/// A name: 1 … 63 of A-Z a-z 0-9 . _ -, so that it fits URLs, files, shells and metric labels as it
/// is.
[[nodiscard]] std::optional<std::string>
read_name(Findings& findings, const Value& value, std::string_view what);

/// A string that is one of `words`; returns its index.
[[nodiscard]] std::optional<std::size_t> read_word(
    Findings& findings,
    const Value& value,
    std::string_view what,
    std::span<const std::string_view> words
);

/// A string that names one of `values` by to_string().
template <typename Enum>
[[nodiscard]] std::optional<Enum> read_enum(
    Findings& findings, const Value& value, std::string_view what, std::span<const Enum> values
) {
    std::vector<std::string_view> words;
    std::ranges::transform(values, std::back_inserter(words), [](Enum each) {
        return to_string(each);
    });
    const auto index = read_word(findings, value, what, words);
    return index ? std::optional(values[*index]) : std::nullopt;
}

[[nodiscard]] std::optional<bool>
read_boolean(Findings& findings, const Value& value, std::string_view what);

/// A string of two hexadecimal digits a byte, least to most bytes.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> read_hex(
    Findings& findings,
    const Value& value,
    std::string_view what,
    std::size_t least,
    std::size_t most
);

/// A string with a unit ("500ms", "2s", "15m", "1h"), in milliseconds.
[[nodiscard]] std::optional<std::uint32_t> read_duration_ms(
    Findings& findings, const Value& value, std::string_view what, const IntegerRange& range_ms
);

/// 1500 → "1500ms", 2000 → "2s", 900000 → "15m".
[[nodiscard]] std::string format_duration(std::int64_t milliseconds);

} // namespace penstock::config
