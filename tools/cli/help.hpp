// SPDX-License-Identifier: Apache-2.0
// The command table as text: --help on the terminal and docs/reference/cli.md.
//
// Thread rule: pure functions.
#pragma once

#include "tools/cli/arguments.hpp"
#include "tools/cli/command.hpp"

#include <string>
#include <string_view>

namespace penstock::cli {

/// "penstock backend drain SERVICE/BACKEND [flags]".
[[nodiscard]] std::string usage_line(const Command& command);

[[nodiscard]] std::string program_help();
[[nodiscard]] std::string group_help(std::string_view group);
[[nodiscard]] std::string command_help(const Command& command);

/// What `--help` prints. REQUIRES: invocation.action is Action::help.
[[nodiscard]] std::string help_text(const Invocation& invocation);

/// The whole of docs/reference/cli.md.
[[nodiscard]] std::string reference_page();

} // namespace penstock::cli
