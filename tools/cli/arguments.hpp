// SPDX-License-Identifier: Apache-2.0
// The command line → what to run, or a usage error that says what would have been right.
//
// Thread rule: pure functions of their arguments; nothing reads the environment.
#pragma once

#include "tools/cli/command.hpp"
#include "tools/cli/endpoint.hpp"
#include "tools/cli/failure.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::cli {

enum class Action : std::uint8_t { run, help, version };

struct Invocation {
    Action action = Action::run;
    const Command* command = nullptr; ///< set for run; for help, the command it is about, if any
    std::string topic{}; ///< for help: a group ("backend"), empty for the whole program
    std::vector<std::string> arguments{};
    std::map<std::string, std::string, std::less<>> options{
    }; ///< every flag that was given, validated
    bool json = false;
    bool header = true;
    Endpoint endpoint{};
    double timeout_s = 10;

    [[nodiscard]] bool has(std::string_view option) const { return options.contains(option); }

    [[nodiscard]] std::optional<std::uint64_t> count(std::string_view option) const;
    [[nodiscard]] std::optional<double> seconds(std::string_view option) const;
    /// Empty if it was not given.
    [[nodiscard]] std::string text(std::string_view option) const;
};

/// `arguments` without the program's name. A Failure has ExitCode::usage.
[[nodiscard]] std::expected<Invocation, Failure>
parse_arguments(std::span<const std::string> arguments, const Surroundings& surroundings);

/// The words after `help` → what the help is about; Action::help or a usage Failure.
[[nodiscard]] std::expected<Invocation, Failure> parse_topic(std::span<const std::string> words);

} // namespace penstock::cli
