// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/output.hpp"

#include "controlplane/config/text.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <unistd.h>

namespace penstock::cli {
namespace {

constexpr std::string_view clear_line = "\r\x1b[K";

void write(std::FILE* stream, std::string_view text) {
    // Errors stay in the stream until finish() asks.
    (void)std::fwrite(text.data(), 1, text.size(), stream);
}

} // namespace

Output::Output(
    std::FILE* out, std::FILE* error, bool out_terminal, bool error_terminal, bool colour
)
    : out_(out),
      error_(error),
      out_terminal_(out_terminal),
      error_terminal_(error_terminal),
      colour_(colour) {}

Output Output::of_process() {
    // NOLINTBEGIN(concurrency-mt-unsafe): there is no other thread
    const char* no_colour = std::getenv("NO_COLOR"); // set to anything but nothing: no-color.org
    const char* term = std::getenv("TERM");
    // NOLINTEND(concurrency-mt-unsafe)
    const bool colour = (no_colour == nullptr || *no_colour == '\0') &&
                        (term == nullptr || std::strcmp(term, "dumb") != 0);
    return {stdout, stderr, isatty(STDOUT_FILENO) == 1, isatty(STDERR_FILENO) == 1, colour};
}

void Output::print(std::string_view text) {
    clear_progress();
    write(out_, text);
}

void Output::print_line(std::string_view text) {
    clear_progress();
    write(out_, text);
    write(out_, "\n");
}

void Output::print_table(const Table& table, bool header) {
    print(table.render(
        {.aligned = out_terminal_, .colour = out_terminal_ && colour_, .header = header}
    ));
}

void Output::print_json(const boost::json::value& document) {
    print_line(boost::json::serialize(document));
    (void)std::fflush(out_); // whoever follows the stream sees each document at once
}

void Output::print_failure(const Failure& failure) {
    clear_progress();
    (void)std::fflush(out_);
    const bool colour = error_terminal_ && colour_;
    write(
        error_,
        fmt::format(
            "penstock: {} {}\n", paint("error:", Colour::red, colour), make_printable(failure.cause)
        )
    );
    if (!failure.remedy.empty()) {
        write(
            error_,
            fmt::format(
                "  {} {}\n", paint("help:", Colour::bold, colour), make_printable(failure.remedy)
            )
        );
    }
}

void Output::print_note(std::string_view text) {
    clear_progress();
    (void)std::fflush(out_);
    const bool colour = error_terminal_ && colour_;
    write(
        error_,
        fmt::format(
            "penstock: {} {}\n", paint("note:", Colour::yellow, colour), make_printable(text)
        )
    );
}

void Output::print_error_lines(std::string_view lines) {
    clear_progress();
    (void)std::fflush(out_);
    while (!lines.empty()) {
        const std::size_t end = std::min(lines.find('\n'), lines.size());
        write(error_, config::make_printable(lines.substr(0, end)));
        write(error_, "\n");
        lines.remove_prefix(std::min(end + 1, lines.size()));
    }
}

void Output::print_progress(std::string_view text) {
    if (!error_terminal_)
        return;
    write(error_, fmt::format("{}{}", clear_line, make_printable(text)));
    (void)std::fflush(error_);
    progress_shown_ = true;
}

void Output::clear_progress() {
    if (!progress_shown_)
        return;
    write(error_, clear_line);
    (void)std::fflush(error_);
    progress_shown_ = false;
}

bool Output::ask(std::string_view question) {
    clear_progress();
    write(error_, fmt::format("{} [y/N] ", make_printable(question)));
    (void)std::fflush(error_);
    const int answer = std::getchar();
    for (int rest = answer; rest != '\n' && rest != EOF;)
        rest = std::getchar();
    return answer == 'y' || answer == 'Y';
}

void Output::clear_screen() {
    if (out_terminal_)
        write(out_, "\x1b[H\x1b[2J");
}

std::string Output::painted(std::string_view text, Colour colour) const {
    return paint(text, colour, out_terminal_ && colour_);
}

void Output::flush() {
    (void)std::fflush(out_);
}

bool Output::broken() const {
    return std::ferror(out_) != 0;
}

std::expected<void, Failure> Output::finish() {
    clear_progress();
    errno = 0;
    if (std::fflush(out_) != 0 || std::ferror(out_) != 0) {
        const std::string reason =
            errno != 0 ? std::generic_category().message(errno) : "an earlier write failed";
        return std::unexpected(Failure{
            .code = ExitCode::refused,
            .cause = fmt::format("cannot write the output: {}", reason),
            .remedy = "what was asked has been done; only its report is incomplete"
        });
    }
    return {};
}

} // namespace penstock::cli
