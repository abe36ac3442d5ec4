// SPDX-License-Identifier: Apache-2.0
// Starts a program as another user: the part of a script probe between fork and exec.
//
// Thread rule: any; between fork and exec only async-signal-safe calls are made, for spdlog's
// thread may hold any lock.
#pragma once

#include <expected>
#include <string>
#include <sys/types.h>
#include <vector>

namespace penstock {

struct ScriptCommand {
    std::vector<std::string> words;       ///< the program by its absolute path, then its arguments
    std::vector<std::string> environment; ///< "NAME=value"
    std::string user;
};

struct ChildScript {
    pid_t pid = -1;
    int pidfd = -1;  ///< readable when it has ended; the caller closes it
    int output = -1; ///< read end of its standard output and error, non-blocking; the caller closes
};

/// Why none was started, in words: our own fault in every case.
[[nodiscard]] std::expected<ChildScript, std::string>
start_child_script(const ScriptCommand& command);

/// Kills the child's process group and takes its exit status; as of waitid(2), 0 … 255, or the
/// negative signal that ended it. Blocks no longer than the kernel needs to end it.
[[nodiscard]] int end_child_script(const ChildScript& child);

/// What the exit status of a program that could not be executed means; 0: it could be.
inline constexpr int exit_not_executed = 127;

} // namespace penstock
