// SPDX-License-Identifier: Apache-2.0
// The screen of penstock top: draws a view with ncurses and takes the operator's keys. The only header
// behind which ncurses stands.
//
// Thread rule: one at a time, from main. The terminal is as it was when this ends.
#pragma once

#include "tools/cli/top_table.hpp"

#include <chrono>
#include <cstddef>
#include <string>

namespace penstock::cli {

class TopScreen {
public:
    TopScreen(TopView view, std::string filter);
    TopScreen(const TopScreen&) = delete;
    TopScreen& operator=(const TopScreen&) = delete;
    ~TopScreen();

    /// `trouble` is said in red; empty: nothing is wrong.
    void draw(const TopReading& before, const TopReading& now, const std::string& trouble);

    /// Waits so long for a key and does what it says; false: the operator wants to leave.
    [[nodiscard]] bool take_key(std::chrono::milliseconds wait);

    [[nodiscard]] bool is_paused() const { return is_paused_; }

private:
    void take_filter_key(int key);
    void draw_rows(const TopTable& table);

    TopView view_;
    TopChoice choice_;
    std::size_t column_count_ = 1;
    std::size_t first_row_ = 0;
    bool is_paused_ = false;
    bool is_filtering_ = false;
};

} // namespace penstock::cli
