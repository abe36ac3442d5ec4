// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/table.hpp"

#include "controlplane/config/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace penstock::cli {
namespace {

constexpr std::string_view column_gap = "  ";

std::string_view escape_of(Colour colour) {
    switch (colour) {
    case Colour::red:
        return "\x1b[31m";
    case Colour::yellow:
        return "\x1b[33m";
    case Colour::green:
        return "\x1b[32m";
    case Colour::bold:
        return "\x1b[1m";
    case Colour::dim:
        return "\x1b[2m";
    case Colour::none:
        break;
    }
    return "";
}

std::string pad(std::string_view text, std::size_t width, Align align, bool last) {
    const std::size_t missing = width - std::min(width, display_width(text));
    const std::string blanks(missing, ' ');
    if (align == Align::right)
        return blanks + std::string(text);
    return last ? std::string(text) : std::string(text) + blanks;
}

} // namespace

std::string make_printable(std::string_view text) {
    std::string printable = config::make_printable(text);
    std::ranges::replace(printable, '\t', ' '); // a TAB would be a column more
    return printable;
}

std::string paint(std::string_view text, Colour colour, bool enabled) {
    if (!enabled || colour == Colour::none || text.empty())
        return std::string(text);
    return fmt::format("{}{}\x1b[0m", escape_of(colour), text);
}

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const config::Character character = config::decode_character(text);
        width += config::terminal_width(character.code);
        text.remove_prefix(character.bytes);
    }
    return width;
}

void Table::add(std::vector<Cell> cells) {
    if (cells.size() != columns_.size())
        std::abort(); // a row of another table: a mistake of ours
    for (Cell& cell : cells)
        cell.text = cell.text.empty() ? "-" : make_printable(cell.text);
    rows_.push_back(std::move(cells));
}

std::string Table::render(const Rendering& rendering) const {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        std::size_t width = rendering.header ? display_width(columns_[i].name) : 0;
        for (const auto& row : rows_)
            width = std::max(width, display_width(row[i].text));
        widths.push_back(width);
    }

    std::string lines;
    const auto append = [&](std::size_t i, std::string_view text, Colour colour) {
        const bool last = i + 1 == columns_.size();
        if (rendering.aligned) {
            // Padding is painted too: no harm, and the widths stay in one place.
            lines += paint(pad(text, widths[i], columns_[i].align, last), colour, rendering.colour);
            lines += last ? "" : column_gap;
        } else {
            lines += paint(text, colour, rendering.colour);
            lines += last ? "" : "\t";
        }
        if (last)
            lines += '\n';
    };
    if (rendering.header) {
        for (std::size_t i = 0; i < columns_.size(); ++i)
            append(i, columns_[i].name, Colour::bold);
    }
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i)
            append(i, row[i].text, row[i].colour);
    }
    return lines;
}

} // namespace penstock::cli
