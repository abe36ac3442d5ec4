// SPDX-License-Identifier: Apache-2.0
// The command table: the one place that says which commands, arguments and flags there are. Parsing
// (arguments.hpp), --help and docs/reference/cli.md (help.hpp) all read it; a new command is a row
// here and a function in run.hpp.
//
// Thread rule: constant data.
#pragma once

#include "tools/cli/exit_code.hpp"
#include "tools/cli/failure.hpp"

#include <array>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

namespace penstock::cli {

class Output;
struct Invocation;

enum class OptionKind : std::uint8_t {
    flag,  ///< takes no value
    text,  ///< any value that is not empty
    count, ///< a whole number, 0 … 2^63-1
    seconds, ///< a decimal number above 0, at most max_option_seconds; also "500ms", "60s", "5m", "1h"
};

inline constexpr double max_option_seconds = 86400;

struct Option {
    std::string_view name; ///< without the dashes
    OptionKind kind = OptionKind::flag;
    std::string_view value; ///< what help calls the value; empty for a flag
    std::string_view text;
};

struct Argument {
    std::string_view name; ///< as help writes it: "FILE"
    bool required = true;
    std::string_view text;
    bool many = false; ///< the last one only: one or more
};

struct Example {
    std::string_view line;
    std::string_view text;
};

/// Runs one command. What it prints goes through Output; ExitCode::refused without a Failure means
/// that the command has told the reason itself.
using Run = std::expected<ExitCode, Failure> (*)(const Invocation& invocation, Output& output);

struct Command {
    std::string_view words; ///< one word, or noun and verb: "backend drain"
    std::span<const Argument> arguments;
    std::span<const Option> options;
    std::string_view summary;          ///< one line, lower case, no full stop
    std::string_view details;          ///< paragraphs of whole sentences, may be empty
    std::string_view json;             ///< what --json prints, sentences
    std::span<const Example> examples; ///< at least one
    double timeout_s = 10;             ///< of one request, unless --timeout says otherwise
    bool changes = false;              ///< asks for a change: help explains when it counts as done
    Run run = nullptr;
};

[[nodiscard]] std::span<const Command> commands();

// The rows of the table by noun (command_….cpp); commands() has all of them.
[[nodiscard]] std::span<const Command> configuration_commands();
[[nodiscard]] std::span<const Command> backend_commands();
[[nodiscard]] std::span<const Command> look_commands();
[[nodiscard]] std::span<const Command> packet_commands();
[[nodiscard]] std::span<const Command> token_commands();

// What rows of several nouns share.
inline constexpr std::array<Option, 1> watch_options{{
    {"watch", OptionKind::seconds, "SECONDS", "show it again every SECONDS, until interrupted"},
}};
inline constexpr std::string_view change_json =
    "The control plane's reply to a change: result (live or pending), generation, "
    "live_generation, changed, detail, notes (docs/reference/api.md).";

/// Flags that every command takes.
[[nodiscard]] std::span<const Option> global_options();

/// Null if no command has exactly these words.
[[nodiscard]] const Command* find_command(std::string_view words);

/// Whether some command begins with this word and another one: "backend".
[[nodiscard]] bool is_group(std::string_view word);

} // namespace penstock::cli
