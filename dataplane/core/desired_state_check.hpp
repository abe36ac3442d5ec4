// SPDX-License-Identifier: Apache-2.0
// What a desired state must fulfil to be compiled. The parser of the configuration file finds the
// same faults earlier and with their place in the file; this is what holds for every client of the
// control socket.
//
// Thread rule: a pure function.
#pragma once

#include "dataplane/core/compile_error.hpp"
#include "dataplane/core/desired_state.hpp"

#include <optional>

namespace penstock {

/// The first fault found, or nothing.
[[nodiscard]] std::optional<CompileError> check_desired_state(const DesiredState& desired);

} // namespace penstock
