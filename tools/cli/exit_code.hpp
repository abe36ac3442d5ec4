// SPDX-License-Identifier: Apache-2.0
// What penstock's exit code says: one list that makes the enumeration, the help and
// docs/reference/cli.md. Scripts rely on these numbers: they never change.
//
// Thread rule: values.
#pragma once

#include <array>
#include <string_view>

namespace penstock::cli {

enum class ExitCode : int {
    ok = 0,
    refused = 1,
    usage = 2,
    unreachable = 3,
    timed_out = 4,
};

struct ExitCodeText {
    ExitCode code;
    std::string_view text;
};

inline constexpr std::array<ExitCodeText, 5> exit_codes{{
    {ExitCode::ok, "done"},
    {ExitCode::refused,
     "refused or failed: a bad file, an unknown name, an error of the control plane"},
    {ExitCode::usage, "the command line is wrong: nothing was done"},
    {ExitCode::unreachable, "the control plane cannot be reached"},
    {ExitCode::timed_out,
     "not done in time: no answer within --timeout, or accepted but not live yet; it may still "
     "happen"},
}};

} // namespace penstock::cli
