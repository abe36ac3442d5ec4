// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/source.hpp"

#include "controlplane/config/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace penstock::config {

namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

// Steps over a TOML string that begins at `begin`, in any of the four forms; returns the offset
// after it.
std::size_t skip_string(std::string_view text, std::size_t begin) {
    const char mark = text[begin];
    const std::string_view rest = text.substr(begin);
    const bool multi_line = rest.size() >= 3 && rest[1] == mark && rest[2] == mark;
    std::size_t i = begin + (multi_line ? 3 : 1);
    while (i < text.size()) {
        if (text[i] == '\\' && mark == '"') {
            i += 2;
        } else if (multi_line && text.substr(i, 3) == std::string(3, mark)) {
            i += 3;
            // Up to two more marks are the string's own last characters.
            while (i < text.size() && text[i] == mark) {
                ++i;
            }
            return i;
        } else if (!multi_line && (text[i] == mark || text[i] == '\n')) {
            return i + 1;
        } else {
            ++i;
        }
    }
    return text.size();
}

} // namespace

Source::Source(std::string_view text, std::string file_name)
    : text_(text), file_name_(std::move(file_name)) {
    if (text_.starts_with(byte_order_mark)) {
        text_.remove_prefix(byte_order_mark.size());
    }
    line_begins_.push_back(0);
    for (std::size_t i = 0; i < text_.size(); ++i) {
        if (text_[i] == '\n') {
            line_begins_.push_back(i + 1);
        }
    }
}

std::string_view Source::line(std::uint32_t number) const {
    if (number == 0 || number > line_begins_.size()) {
        return {};
    }
    const std::size_t begin = line_begins_[number - 1];
    std::string_view line = text_.substr(begin, text_.find('\n', begin) - begin);
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

Span Source::locate(std::size_t offset) const {
    const auto after = std::ranges::upper_bound(line_begins_, offset);
    const auto line = static_cast<std::uint32_t>(after - line_begins_.begin());
    const std::size_t begin = line_begins_[line - 1];
    const std::size_t column = count_characters(text_.substr(begin, offset - begin)) + 1;
    return {.line = line, .column = static_cast<std::uint32_t>(column)};
}

Place Source::place(const Span& span) const {
    return {.file = file_name_, .line = span.line, .column = span.column, .length = span.length};
}

Span Source::clamp(const Span& span) const {
    if (span.line == 0) {
        return span;
    }
    Span inside = span;
    inside.line = std::min(span.line, static_cast<std::uint32_t>(line_begins_.size()));
    // One column after the last is where something is missing.
    const auto end = static_cast<std::uint32_t>(count_characters(line(inside.line)) + 1);
    inside.column = inside.line < span.line ? end : std::clamp(span.column, 1U, end);
    inside.length = std::clamp(span.length, 1U, std::max(end - inside.column, 1U));
    return inside;
}

Diagnostic
Source::diagnose(const Span& span, std::string cause, std::string remedy, Severity severity) const {
    Diagnostic diagnostic{
        .place = place(clamp(span)),
        .cause = std::move(cause),
        .remedy = std::move(remedy),
        .line = {},
        .severity = severity,
    };
    quote_line(diagnostic, line(diagnostic.place.line));
    return diagnostic;
}

std::optional<Diagnostic> Source::find_unreadable() const {
    if (auto found = find_bad_character()) {
        return found;
    }
    return find_deep_nesting();
}

std::optional<Diagnostic> Source::find_bad_character() const {
    std::size_t offset = 0;
    while (offset < text_.size()) {
        const Character character = decode_character(text_.substr(offset));
        if (!character.valid) {
            return diagnose(
                locate(offset),
                fmt::format("byte 0x{:02x} is not UTF-8", static_cast<unsigned>(character.code)),
                "save the file as UTF-8; if it should hold no such letters, retype this line"
            );
        }
        const char32_t code = character.code;
        const bool line_end = code == '\n' || (code == '\r' && text_.substr(offset + 1, 1) == "\n");
        if ((code < 0x20 && code != '\t' && !line_end) || code == 0x7f) {
            return diagnose(
                locate(offset),
                fmt::format("control character U+{:04X}", static_cast<unsigned>(code)),
                code == 0
                    ? "this is no text file, or a damaged one: check its path and its contents"
                    : "delete the character; inside a string write it as an escape (\"\\n\")"
            );
        }
        offset += character.bytes;
    }
    return std::nullopt;
}

std::optional<Diagnostic> Source::find_deep_nesting() const {
    std::size_t brackets = 0;
    std::size_t dots = 0;
    for (std::size_t i = 0; i < text_.size();) {
        const char character = text_[i];
        if (character == '"' || character == '\'') {
            i = skip_string(text_, i);
            continue;
        }
        if (character == '#') {
            i = std::min(text_.find('\n', i), text_.size());
            continue;
        }
        if (character == '.') {
            ++dots;
        } else if (character == '[' || character == '{') {
            ++brackets;
            dots = 0;
        } else if (character == ']' || character == '}') {
            brackets -= brackets > 0 ? 1 : 0;
        } else if (character == '=' || character == ',' || character == '\n') {
            dots = 0;
        }
        if (brackets > max_nesting || dots >= max_nesting) {
            const bool dotted = dots >= max_nesting;
            return diagnose(
                locate(i),
                fmt::format(
                    "{} nest deeper than {} levels",
                    dotted ? "dotted names" : "brackets",
                    max_nesting
                ),
                dotted ? "no name in this file has more than two parts: shorten it"
                       : "nothing in this file needs more than three: look for one that was never "
                         "closed"
            );
        }
        ++i;
    }
    return std::nullopt;
}

} // namespace penstock::config
