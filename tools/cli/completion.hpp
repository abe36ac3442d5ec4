// SPDX-License-Identifier: Apache-2.0
// Completion of the command line in shells, made from the command table.
//
// Thread rule: pure.
#pragma once

#include <string>
#include <string_view>

namespace penstock::cli {

/// For "bash", "zsh" or "fish"; empty for any other shell.
[[nodiscard]] std::string completion_script(std::string_view shell);

} // namespace penstock::cli
