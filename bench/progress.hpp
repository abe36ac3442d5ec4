// SPDX-License-Identifier: Apache-2.0
// Where a long measurement stands: one line on standard error, rewritten at a terminal, otherwise
// said when what is measured changes.
//
// Thread rule: one thread.
#pragma once

#include <cstdio>
#include <fmt/format.h>
#include <string>
#include <unistd.h>

namespace penstock::bench {

class Progress {
public:
    ~Progress() {
        if (is_terminal_) {
            fmt::print(stderr, "\r{:60}\r", "");
        }
    }

    void say(const std::string& what, unsigned round, unsigned rounds) {
        if (is_terminal_) {
            fmt::print(stderr, "\r{:<40} {:>3} of {}", what, round, rounds);
        } else if (what != last_) {
            fmt::print(stderr, "bench: {}, {} rounds\n", what, rounds);
        }
        last_ = what;
    }

private:
    bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
    std::string last_;
};

} // namespace penstock::bench
