// SPDX-License-Identifier: Apache-2.0
// A TOML text as a tree of values with their places: all that the sections' readers see of TOML, so
// that toml++ stays in document.cpp.
//
// Thread rule: parse_document() is pure; a Value is immutable once made.
#pragma once

#include "controlplane/config/source.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::config {

enum class ValueKind : std::uint8_t { string, integer, floating, boolean, date_time, array, table };

/// "a string", "an integer", … for messages.
[[nodiscard]] std::string_view describe(ValueKind kind);

struct Member;

struct Value {
    ValueKind kind = ValueKind::table;
    Span span;                   ///< of the value; of its header for a table that has one
    std::string text;            ///< string
    std::int64_t integer = 0;    ///< integer
    bool boolean = false;        ///< boolean
    std::vector<Value> items;    ///< array
    std::vector<Member> members; ///< table, in order of place

    /// REQUIRES: kind is table. Null if there is none.
    [[nodiscard]] const Value* find(std::string_view key) const;
};

struct Member {
    std::string key;
    Span key_span;
    Value value;
};

/// The root table, or what makes the text no TOML (the first place only: nothing after it can be
/// trusted). `file` is what the spans name as theirs.
[[nodiscard]] std::expected<Value, Diagnostic>
parse_document(const Source& source, std::uint32_t file = 0);

} // namespace penstock::config
