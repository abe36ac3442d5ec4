// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/top_screen.hpp"

#include "tools/cli/table.hpp"
#include "tools/cli/units.hpp"

#include <clocale>
#include <curses.h>
#include <fmt/format.h>

#include <algorithm>

namespace penstock::cli {
namespace {

constexpr short red_pair = 1;
constexpr std::string_view help = "1 services  2 backends  3 workers  4 drops   < > sort by  r "
                                  "reverse  / filter  space pause  q quit";

void print_line(int row, std::string_view text, attr_t attributes = A_NORMAL) {
    if (row < 0 || row >= LINES)
        return;
    const std::string safe = make_printable(text);
    attron(static_cast<int>(attributes));
    mvaddnstr(row, 0, safe.c_str(), COLS);
    attroff(static_cast<int>(attributes));
}

std::string pad(std::string_view text, std::size_t width, bool right) {
    const std::string blanks(width - std::min(width, display_width(text)), ' ');
    return right ? blanks + std::string(text) : std::string(text) + blanks;
}

std::vector<std::size_t> measure(const TopTable& table, std::size_t sorted_by) {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        std::size_t width = table.columns[i].name.size() + (i == sorted_by ? 1 : 0);
        for (const TopRow& row : table.rows)
            width = std::max(width, display_width(row.cells[i]));
        widths.push_back(width);
    }
    return widths;
}

} // namespace

TopScreen::TopScreen(TopView view, std::string filter) : view_(view) {
    choice_.filter = std::move(filter);
    (void)std::setlocale(LC_CTYPE, "C.UTF-8"); // "…" and names of people's own
    initscr();
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    set_escdelay(25);
    curs_set(0);
    if (has_colors()) {
        start_color();
        use_default_colors();
        init_pair(red_pair, COLOR_RED, -1);
    }
}

TopScreen::~TopScreen() {
    endwin();
}

void TopScreen::draw(const TopReading& before, const TopReading& now, const std::string& trouble) {
    erase();
    TopTable table = make_top_table(view_, before, now);
    column_count_ = table.columns.size();
    choice_.column = std::min(choice_.column, column_count_ - 1);
    arrange(table, choice_);
    const WorkerSample& totals = now.sample.totals;
    print_line(
        0,
        fmt::format(
            "penstock top: generation {}, {} of {} flows{}",
            now.sample.generation,
            format_count(totals.flows),
            format_count(totals.flow_capacity),
            is_paused_ ? "   PAUSED" : ""
        ),
        A_BOLD
    );
    if (!trouble.empty())
        print_line(1, trouble, COLOR_PAIR(red_pair));
    else if (is_filtering_ || !choice_.filter.empty())
        print_line(1, fmt::format("filter: {}{}", choice_.filter, is_filtering_ ? "_" : ""));
    draw_rows(table);
    print_line(LINES - 1, help, A_DIM);
    refresh();
}

void TopScreen::draw_rows(const TopTable& table) {
    const std::vector<std::size_t> widths = measure(table, choice_.column);
    std::string head;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const std::string mark = i == choice_.column ? (choice_.descending ? "^" : "v") : "";
        head +=
            pad(std::string(table.columns[i].name) + mark, widths[i], table.columns[i].is_number) +
            "  ";
    }
    print_line(2, head, A_REVERSE);
    const auto room = static_cast<std::size_t>(std::max(LINES - 4, 0));
    first_row_ = std::min(first_row_, table.rows.size() > room ? table.rows.size() - room : 0);
    for (std::size_t row = 0; row < room && first_row_ + row < table.rows.size(); ++row) {
        std::string line;
        for (std::size_t i = 0; i < table.columns.size(); ++i)
            line +=
                pad(table.rows[first_row_ + row].cells[i], widths[i], table.columns[i].is_number) +
                "  ";
        print_line(static_cast<int>(row) + 3, line);
    }
}

void TopScreen::take_filter_key(int key) {
    if (key == '\n' || key == KEY_ENTER || key == '\r') {
        is_filtering_ = false;
    } else if (key == 27) {
        is_filtering_ = false;
        choice_.filter.clear();
    } else if (key == KEY_BACKSPACE || key == 127 || key == 8) {
        if (!choice_.filter.empty())
            choice_.filter.pop_back();
    } else if (key >= ' ' && key < 127 && choice_.filter.size() < 63) {
        choice_.filter += static_cast<char>(key);
    }
}

bool TopScreen::take_key(std::chrono::milliseconds wait) {
    timeout(static_cast<int>(wait.count()));
    const int key = getch();
    if (key == ERR)
        return true;
    if (is_filtering_) {
        take_filter_key(key);
        return true;
    }
    switch (key) {
    case 'q':
        return false;
    case '1':
    case '2':
    case '3':
    case '4':
        view_ = static_cast<TopView>(key - '1');
        choice_.column = 0;
        first_row_ = 0;
        break;
    case '<':
        choice_.column = choice_.column == 0 ? column_count_ - 1 : choice_.column - 1;
        break;
    case '>':
        choice_.column = (choice_.column + 1) % column_count_;
        break;
    case 'r':
        choice_.descending = !choice_.descending;
        break;
    case ' ':
        is_paused_ = !is_paused_;
        break;
    case '/':
        is_filtering_ = true;
        choice_.filter.clear();
        break;
    case 12: // Ctrl-L, when something else has written over it
        clearok(stdscr, TRUE);
        break;
    case KEY_DOWN:
        ++first_row_; // draw() keeps it within the rows
        break;
    case KEY_UP:
        first_row_ -= first_row_ > 0 ? 1 : 0;
        break;
    default:
        break;
    }
    return true;
}

} // namespace penstock::cli
