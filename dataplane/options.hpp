// SPDX-License-Identifier: Apache-2.0
// The flags of penstock-dp.
//
// Thread rule: pure functions.
#pragma once

#include "dataplane/log.hpp"

#include <expected>
#include <string>

namespace penstock {

enum class Action { serve, print_help, print_version };

struct Options {
    Action action = Action::serve;
    std::string config_file = "/etc/penstock/penstock.toml";
    std::string state_folder = "/var/lib/penstock";
    std::string runtime_folder = "/run/penstock";
    LogOptions log;
};

/// An error is one line: what is wrong with which flag.
[[nodiscard]] std::expected<Options, std::string> parse_options(int argc, const char* const* argv);

/// Flags, defaults, examples, exit codes.
[[nodiscard]] std::string help_text();

} // namespace penstock
