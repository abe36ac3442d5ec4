// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/document.hpp"

#include "controlplane/config/syntax_remedy.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <utility>

namespace penstock::config {

namespace {

Span to_span(const toml::source_region& region, std::uint32_t file) {
    const bool one_line =
        region.end.line == region.begin.line && region.end.column > region.begin.column;
    return {
        .line = region.begin.line,
        .column = region.begin.column,
        .length = one_line ? region.end.column - region.begin.column : 1,
        .file = file,
    };
}

Value convert(const toml::node& node, std::uint32_t file);

void convert_members(const toml::table& table, Value& value, std::uint32_t file) {
    value.members.reserve(table.size());
    for (const auto& [key, member] : table) {
        value.members.push_back(
            {.key = std::string(key.str()),
             .key_span = to_span(key.source(), file),
             .value = convert(member, file)}
        );
    }
    // toml++ keeps keys in alphabetical order; readers and messages go by the file's.
    std::ranges::sort(value.members, {}, [](const Member& member) {
        return std::pair(member.key_span.line, member.key_span.column);
    });
}

// Recursion is bounded: Source::find_unreadable() refused what nests deeper than max_nesting.
Value convert(const toml::node& node, std::uint32_t file) {
    Value value;
    value.span = to_span(node.source(), file);
    switch (node.type()) {
    case toml::node_type::table:
        value.kind = ValueKind::table;
        convert_members(*node.as_table(), value, file);
        break;
    case toml::node_type::array:
        value.kind = ValueKind::array;
        value.items.reserve(node.as_array()->size());
        for (const toml::node& item : *node.as_array()) {
            value.items.push_back(convert(item, file));
        }
        break;
    case toml::node_type::string:
        value.kind = ValueKind::string;
        value.text = node.as_string()->get();
        break;
    case toml::node_type::integer:
        value.kind = ValueKind::integer;
        value.integer = node.as_integer()->get();
        break;
    case toml::node_type::floating_point:
        value.kind = ValueKind::floating;
        break;
    case toml::node_type::boolean:
        value.kind = ValueKind::boolean;
        value.boolean = node.as_boolean()->get();
        break;
    case toml::node_type::none:
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
        value.kind = ValueKind::date_time;
        break;
    }
    return value;
}

} // namespace

std::string_view describe(ValueKind kind) {
    switch (kind) {
    case ValueKind::string:
        return "a string";
    case ValueKind::integer:
        return "an integer";
    case ValueKind::floating:
        return "a number with a fraction";
    case ValueKind::boolean:
        return "a boolean";
    case ValueKind::date_time:
        return "a date or time";
    case ValueKind::array:
        return "a list";
    case ValueKind::table:
        return "a table";
    }
    return "nothing known";
}

const Value* Value::find(std::string_view key) const {
    const auto found = std::ranges::find(members, key, &Member::key);
    return found == members.end() ? nullptr : &found->value;
}

std::expected<Value, Diagnostic> parse_document(const Source& source, std::uint32_t file) {
    if (auto unreadable = source.find_unreadable()) {
        return std::unexpected(*std::move(unreadable));
    }
    try {
        return convert(toml::parse(source.text()), file);
    } catch (const toml::parse_error& error) {
        return std::unexpected(
            explain_syntax_error(source, to_span(error.source(), file), error.description())
        );
    }
}

} // namespace penstock::config
