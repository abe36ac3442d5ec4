// SPDX-License-Identifier: Apache-2.0
// Where a command prints, and what can be shown there: alignment and colour only on a terminal.
//
// Thread rule: one owner, the main thread. Errors of writing are kept and told by finish(): a full
// disk behind `penstock stats --json > file` is a failure.
#pragma once

#include "tools/cli/failure.hpp"
#include "tools/cli/table.hpp"

#include <boost/json/fwd.hpp>

#include <cstdio>
#include <expected>
#include <string>
#include <string_view>

namespace penstock::cli {

class Output {
public:
    /// Streams stay the caller's. `out_terminal` and `error_terminal` say what the streams are;
    /// `colour` whether colours are welcome on a terminal.
    Output(std::FILE* out, std::FILE* error, bool out_terminal, bool error_terminal, bool colour);

    /// stdout and stderr of this process; no colours if NO_COLOR is set or TERM is "dumb".
    [[nodiscard]] static Output of_process();

    void print(std::string_view text);
    void print_line(std::string_view text);
    void print_table(const Table& table, bool header);

    /// One document on one line, for jq and for scripts.
    void print_json(const boost::json::value& document);

    /// "penstock: error: cause" and "  help: remedy" on the error stream.
    void print_failure(const Failure& failure);
    void print_note(std::string_view text);

    /// Lines for the error stream; each ends in '\n' afterwards, control characters are taken out.
    void print_error_lines(std::string_view lines);

    /// A line of progress that the next print replaces; on a terminal only, elsewhere nothing.
    void print_progress(std::string_view text);

    /// Asks on the error stream, reads a line of standard input: whether it says yes.
    [[nodiscard]] bool ask(std::string_view question);

    /// On a terminal: what follows begins on an empty screen. Elsewhere nothing.
    void clear_screen();

    /// Text in colour, if there are colours.
    [[nodiscard]] std::string painted(std::string_view text, Colour colour) const;

    [[nodiscard]] bool terminal() const { return out_terminal_; }

    [[nodiscard]] bool error_terminal() const { return error_terminal_; }

    /// So that a reader who follows sees everything up to here.
    void flush();

    /// Whether the reader of a pipe has gone, or the disk is full, so that a loop ends.
    [[nodiscard]] bool broken() const;

    /// Flushes; an error if anything printed was lost.
    [[nodiscard]] std::expected<void, Failure> finish();

private:
    void clear_progress();

    std::FILE* out_;
    std::FILE* error_;
    bool out_terminal_;
    bool error_terminal_;
    bool colour_;
    bool progress_shown_ = false;
};

} // namespace penstock::cli
