// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/diagnostic.hpp"

#include "controlplane/config/source.hpp"
#include "controlplane/config/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <string_view>
#include <utility>

namespace penstock::config {

namespace {

constexpr std::size_t max_shown = 100;   // columns of a source line
constexpr std::size_t shown_before = 60; // of them before the place, in a longer line

std::size_t offset_of(std::string_view text, std::size_t characters) {
    std::size_t offset = 0;
    for (std::size_t i = 0; i < characters && offset < text.size(); ++i) {
        offset += decode_character(text.substr(offset)).bytes;
    }
    return offset;
}

// Blanks as wide as the text before the caret; TABs stay, for nobody knows their width.
std::string indent_caret(std::string_view line, std::size_t characters) {
    std::string out;
    for (std::size_t i = 0; i < characters && !line.empty(); ++i) {
        const Character character = decode_character(line);
        out += character.code == '\t' ? std::string("\t")
                                      : std::string(terminal_width(character.code), ' ');
        line.remove_prefix(character.bytes);
    }
    return out;
}

std::string underline(std::string_view line, std::size_t characters) {
    std::size_t width = 0;
    for (std::size_t i = 0; i < characters && !line.empty(); ++i) {
        const Character character = decode_character(line);
        width += terminal_width(character.code);
        line.remove_prefix(character.bytes);
    }
    std::string out(std::max<std::size_t>(width, 1), '~');
    out.front() = '^';
    return out;
}

} // namespace

void quote_line(Diagnostic& diagnostic, std::string_view line) {
    const std::size_t column = diagnostic.place.column;
    if (column == 0 || line.empty()) {
        return;
    }
    const std::size_t skipped =
        count_characters(line) > max_shown && column > shown_before ? column - shown_before : 0;
    line.remove_prefix(offset_of(line, skipped));
    const std::string_view shown = line.substr(0, offset_of(line, max_shown));
    diagnostic.line = skipped > 0 ? "…" : "";
    diagnostic.line += make_printable(shown);
    diagnostic.line += shown.size() < line.size() ? "…" : "";
    diagnostic.caret_column = static_cast<std::uint32_t>(column - skipped + (skipped > 0 ? 1 : 0));
}

Diagnostic diagnose(const Place& place, std::string cause, std::string remedy) {
    Diagnostic diagnostic{
        .place = place, .cause = std::move(cause), .remedy = std::move(remedy), .line = {}
    };
    std::ifstream file(place.file);
    std::string line;
    std::uint32_t number = 0;
    while (number < place.line && std::getline(file, line)) {
        ++number;
    }
    if (number == place.line) {
        quote_line(diagnostic, line);
    }
    return diagnostic;
}

std::string render(const Diagnostic& diagnostic) {
    const Place& place = diagnostic.place;
    std::string out = make_printable(place.file);
    if (place.line > 0) {
        out += fmt::format(":{}:{}", place.line, place.column);
    }
    out += diagnostic.severity == Severity::error ? ": error: " : ": warning: ";
    out += diagnostic.cause + "\n";
    if (!diagnostic.line.empty() && diagnostic.caret_column > 0) {
        const std::string_view line = diagnostic.line;
        const std::size_t before = diagnostic.caret_column - 1;
        out += fmt::format("    {}\n", line);
        out += fmt::format(
            "    {}{}\n",
            indent_caret(line, before),
            underline(line.substr(offset_of(line, before)), place.length)
        );
    }
    out += fmt::format("  help: {}\n", diagnostic.remedy);
    return out;
}

std::string render(const Diagnostics& diagnostics) {
    std::string out;
    for (const Diagnostic& diagnostic : diagnostics) {
        out += render(diagnostic);
    }
    return out;
}

} // namespace penstock::config
