// SPDX-License-Identifier: Apache-2.0
// Why a command ended without doing what it was asked, in words for the person who asked.
//
// Thread rule: plain values.
#pragma once

#include "tools/cli/exit_code.hpp"

#include <string>

namespace penstock::cli {

struct Failure {
    ExitCode code = ExitCode::refused;
    std::string cause{};  ///< "cannot reach the control plane at /run/…: no such file"
    std::string remedy{}; ///< what to do next, a sentence; empty if the cause says it

    /// The problem document that the control plane sent (docs/reference/api.md), as JSON; empty if
    /// the failure is our own. --json prints it as it is.
    std::string problem{};
};

} // namespace penstock::cli
