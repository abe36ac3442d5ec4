// SPDX-License-Identifier: Apache-2.0
// Waiting until backends have no flow left, with progress: flows, rate, estimate.
//
// Thread rule: called from main; asks the control plane twice a second.
#pragma once

#include "tools/cli/backend_name.hpp"
#include "tools/cli/run.hpp"

#include <vector>

namespace penstock::cli {

class ControlClient;

/// ExitCode::timed_out if flows are left after `timeout_s`.
RunResult wait_for_drain(
    const std::vector<BackendName>& names,
    double timeout_s,
    ControlClient& client,
    const Invocation& invocation,
    Output& output
);

} // namespace penstock::cli
