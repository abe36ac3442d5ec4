// SPDX-License-Identifier: Apache-2.0
// The functions behind the rows of the command table (command.hpp); each lives in the file of its
// noun.
//
// Thread rule: called once, from main.
#pragma once

#include "tools/cli/exit_code.hpp"
#include "tools/cli/failure.hpp"

#include <expected>

namespace penstock::cli {

class Output;
struct Invocation;

using RunResult = std::expected<ExitCode, Failure>;

RunResult run_check(const Invocation& invocation, Output& output);
RunResult run_diff(const Invocation& invocation, Output& output);
RunResult run_apply(const Invocation& invocation, Output& output);
RunResult run_confirm(const Invocation& invocation, Output& output);
RunResult run_history(const Invocation& invocation, Output& output);
RunResult run_rollback(const Invocation& invocation, Output& output);
RunResult run_override_list(const Invocation& invocation, Output& output);
RunResult run_override_save(const Invocation& invocation, Output& output);
RunResult run_override_clear(const Invocation& invocation, Output& output);
RunResult run_status(const Invocation& invocation, Output& output);
RunResult run_service_list(const Invocation& invocation, Output& output);
RunResult run_service_show(const Invocation& invocation, Output& output);
RunResult run_backend_list(const Invocation& invocation, Output& output);
RunResult run_backend_drain(const Invocation& invocation, Output& output);
RunResult run_backend_enable(const Invocation& invocation, Output& output);
RunResult run_backend_maint(const Invocation& invocation, Output& output);
RunResult run_backend_weight(const Invocation& invocation, Output& output);
RunResult run_stats(const Invocation& invocation, Output& output);
RunResult run_drops(const Invocation& invocation, Output& output);
RunResult run_events(const Invocation& invocation, Output& output);
RunResult run_explain(const Invocation& invocation, Output& output);
RunResult run_replay(const Invocation& invocation, Output& output);
RunResult run_token_create(const Invocation& invocation, Output& output);
RunResult run_token_list(const Invocation& invocation, Output& output);
RunResult run_token_revoke(const Invocation& invocation, Output& output);
RunResult run_top(const Invocation& invocation, Output& output);
RunResult run_completion(const Invocation& invocation, Output& output);
RunResult run_help(const Invocation& invocation, Output& output);

} // namespace penstock::cli
