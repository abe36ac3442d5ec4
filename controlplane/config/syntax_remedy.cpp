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
    std::string_view part;  ///< of toml++'s description
    std::string_view cause; ///< empty: toml++'s own words
    std::string_view remedy;
};

// Tried in order; what is more particular comes first.
constexpr std::array<Explanation, 18> explanations{{
    {"cannot redefine existing array",
     "",
     "this table is a list: write [[…]] with two brackets, as the first time"},
    {"cannot redefine existing table",
     "",
     "join the two into one: a table may be written once, and an inline table { … } is complete"},
    {"cannot redefine existing", "", "a key may be given once in its table: delete one of the two"},
    {"cannot insert",
     "",
     "a key may be given once, and an inline table { … } is complete as written"},
    {"not representable in 64 bits",
     "the number is too large",
     "no number in this file is that large: check its digits"},
    {"leading zeroes", "the number begins with a zero", "delete the zeros before the number"},
    {"unknown escape", "", "write a backslash as \\\\, or put the string in single quotes"},
    {"unescaped control characters",
     "the line ends within a string",
     "end the string with a quote, on the line on which it began"},
    {"Error while parsing inline table",
     "",
     "an inline table { key = value, … } stands on one line, with commas between its keys and none "
     "after the last; a closing brace may be missing"},
    {"Error while parsing array",
     "",
     "a list [ … ] has commas between its values and ends with ']': a comma or a bracket is missing"
    },
    {"Error while parsing table header",
     "",
     "a header is [name], or [[name]] for one of several: a bracket is missing or too many"},
    {"expected '='", "", "write key = value"},
    {"expected value", "", "give the key a value, or delete the line"},
    {"expected a comment or whitespace",
     "",
     "one key = value a line: put the rest on a line of its own, or begin a comment with #"},
    {"Error while parsing string", "", "a string stands in quotes on one line: a quote is missing"},
    {"expected keys", "", "a line is key = value, [table], [[table]] or a # comment"},
    {"encountered end-of-file",
     "the file ends too early",
     "close what was opened last: a quote, bracket or brace is missing"},
    {"", "", "compare the line with docs/examples/penstock.toml"},
}};

std::string_view strip_prefix(std::string_view description) {
    constexpr std::string_view prefix = "Error while parsing ";
    if (description.starts_with(prefix)) {
        description.remove_prefix(prefix.size());
    }
    return description;
}

// Whether a value could not be read, not merely was refused for its size or place.
bool is_about_value(std::string_view description) {
    constexpr std::array<std::string_view, 6> subjects{
        "value", "integer", "floating", "date", "time", "boolean"
    };
    constexpr std::array<std::string_view, 3> refusals{"representable", "leading zero", "redefine"};
    const auto is_named = [&](std::string_view part) {
        return description.find(part) != std::string_view::npos;
    };
    return std::ranges::any_of(subjects, is_named) && std::ranges::none_of(refusals, is_named);
}

} // namespace

Diagnostic
explain_syntax_error(const Source& source, const Span& span, std::string_view description) {
    const std::string_view line = source.line(span.line);
    if (is_about_value(description)) {
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
        found->cause.empty() ? fmt::format("syntax: {}", make_printable(strip_prefix(description)))
                             : std::string(found->cause),
        std::string(found->remedy)
    );
}

} // namespace penstock::config
