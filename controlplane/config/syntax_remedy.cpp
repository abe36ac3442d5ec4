// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/syntax_remedy.hpp"

#include "controlplane/config/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace penstock::config {

namespace {

// An unquoted word where a value stands: `vip = 198.51.100.10`, `interval = 5s`, `idle = spin`.
struct BareValue {
    std::string_view text;
    Span span;
};

bool ends_bare_value(char character) {
    return std::string_view(" \t,]}#\"'").find(character) != std::string_view::npos;
}

std::size_t offset_of_column(std::string_view line, std::uint32_t column) {
    std::size_t offset = 0;
    for (std::uint32_t i = 1; i < column && offset < line.size(); ++i) {
        offset += decode_character(line.substr(offset)).bytes;
    }
    return offset;
}

// The word around or just before the place where the parser gave up, if it begins after '=', '[' or
// ','.
std::optional<BareValue> find_bare_value(std::string_view line, const Span& span) {
    std::size_t begin = offset_of_column(line, span.column);
    while (begin > 0 && !ends_bare_value(line[begin - 1]) && line[begin - 1] != '=' &&
           line[begin - 1] != '[' && line[begin - 1] != '{') {
        --begin;
    }
    std::size_t end = begin;
    while (end < line.size() && !ends_bare_value(line[end])) {
        ++end;
    }
    const std::size_t before = line.find_last_not_of(" \t", begin == 0 ? 0 : begin - 1);
    if (begin == 0 || end == begin || before == std::string_view::npos ||
        std::string_view("=[,").find(line[before]) == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view word = line.substr(begin, end - begin);
    if (word.find_first_of("={[") != std::string_view::npos) {
        return std::nullopt;
    }
    const auto column = static_cast<std::uint32_t>(count_characters(line.substr(0, begin)) + 1);
    return BareValue{
        .text = word,
        .span =
            {.line = span.line,
             .column = column,
             .length = static_cast<std::uint32_t>(count_characters(word))},
    };
}

struct Explanation {
    std::string_view part; ///< of toml++'s description
    std::string_view remedy;
};

// Tried in order; what is more particular comes first.
constexpr std::array<Explanation, 17> explanations{{
    {"cannot redefine existing array",
     "this table is a list: write [[…]] with two brackets, as the first time"},
    {"cannot redefine existing table",
     "join the two into one: a table may be written once, and an inline table { … } is complete"},
    {"cannot redefine existing", "a key may be given once in its table: delete one of the two"},
    {"cannot insert", "a key may be given once, and an inline table { … } is complete as written"},
    {"not representable in 64 bits", "no number in this file is that large: see its limits"},
    {"leading zeroes", "delete the zeros before the number"},
    {"unknown escape", "write a backslash as \\\\, or put the string in single quotes"},
    {"unescaped control characters",
     "end the string on the line on which it began: a quote is missing"},
    {"Error while parsing inline table",
     "an inline table { key = value, … } stands on one line, with commas between its keys and none "
     "after the last; a closing brace may be missing"},
    {"Error while parsing array",
     "a list [ … ] has commas between its values and ends with ']': a comma or a bracket is missing"
    },
    {"Error while parsing table header",
     "a header is [name], or [[name]] for one of several: a bracket is missing or too many"},
    {"expected '='", "write key = value"},
    {"expected value", "give the key a value, or delete the line"},
    {"expected a comment or whitespace",
     "one key = value a line: put the rest on a line of its own, or begin a comment with #"},
    {"Error while parsing string", "a string stands in quotes on one line: a quote is missing"},
    {"expected keys", "a line is key = value, [table], [[table]] or a # comment"},
    {"", "compare the line with the examples in docs/reference/configuration.md"},
}};

std::string_view strip_prefix(std::string_view description) {
    constexpr std::string_view prefix = "Error while parsing ";
    if (description.starts_with(prefix)) {
        description.remove_prefix(prefix.size());
    }
    return description;
}

} // namespace

Diagnostic
explain_syntax_error(const Source& source, const Span& span, std::string_view description) {
    const std::string_view line = source.line(span.line);
    const bool value_failed = description.find("value") != std::string_view::npos ||
                              description.find("integer") != std::string_view::npos ||
                              description.find("floating") != std::string_view::npos ||
                              description.find("date") != std::string_view::npos ||
                              description.find("time") != std::string_view::npos ||
                              description.find("boolean") != std::string_view::npos;
    const bool number_refused = description.find("representable") != std::string_view::npos ||
                                description.find("leading zero") != std::string_view::npos ||
                                description.find("redefine") != std::string_view::npos;
    if (value_failed && !number_refused) {
        if (const auto bare = find_bare_value(line, span)) {
            return source.diagnose(
                bare->span,
                fmt::format("{} is no TOML value", quote(bare->text)),
                fmt::format("put it in double quotes: \"{}\"", make_printable(bare->text))
            );
        }
    }
    const auto found = std::ranges::find_if(explanations, [&](const Explanation& explanation) {
        return description.find(explanation.part) != std::string_view::npos;
    });
    return source.diagnose(
        span,
        fmt::format("syntax: {}", make_printable(strip_prefix(description))),
        std::string(found->remedy)
    );
}

} // namespace penstock::config
