// SPDX-License-Identifier: Apache-2.0
// Rows and columns for people: aligned on a terminal, separated by tabs in a pipe.
//
// Thread rule: one owner. Cells may hold text from the network (a probe's reason): control
// characters are taken out, so that a hostile server cannot drive the operator's terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::cli {

enum class Colour : std::uint8_t { none, red, yellow, green, bold, dim };

enum class Align : std::uint8_t { left, right };

/// How to lay out text; what Output found out about its stream.
struct Rendering {
    bool aligned = false; ///< pad columns with blanks; otherwise one tab between cells
    bool colour = false;
    bool header = true;
};

struct Cell {
    std::string text;
    Colour colour = Colour::none;

    // Implicit on purpose: most cells of a row are plain text.
    // NOLINTBEGIN(google-explicit-constructor)
    Cell(std::string cell_text, Colour cell_colour = Colour::none)
        : text(std::move(cell_text)), colour(cell_colour) {}

    Cell(const char* cell_text, Colour cell_colour = Colour::none)
        : text(cell_text), colour(cell_colour) {}

    // NOLINTEND(google-explicit-constructor)
};

class Table {
public:
    struct Column {
        std::string_view name; ///< printed in capitals by convention
        Align align = Align::left;
    };

    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    /// REQUIRES: as many cells as columns. An empty cell is printed as "-", so that every line has
    /// the same number of fields.
    void add(std::vector<Cell> cells);

    [[nodiscard]] bool empty() const { return rows_.empty(); }

    /// Lines end in '\n', without trailing blanks.
    [[nodiscard]] std::string render(const Rendering& rendering) const;

private:
    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

/// Control characters, and bytes that are no UTF-8, as '?'; a TAB as a blank.
[[nodiscard]] std::string make_printable(std::string_view text);

/// In the colour's escape sequences, or as it is if `enabled` is false.
[[nodiscard]] std::string paint(std::string_view text, Colour colour, bool enabled);

/// Columns that the text takes on a terminal.
[[nodiscard]] std::size_t display_width(std::string_view text);

} // namespace penstock::cli
