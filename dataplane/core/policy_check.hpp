// SPDX-License-Identifier: Apache-2.0
// Whether what a desired state says of NAT, QUIC, access lists and limits can be compiled.
//
// Thread rule: pure functions.
#pragma once

#include "dataplane/core/compile_error.hpp"
#include "dataplane/core/desired_state.hpp"

#include <optional>
#include <string>

namespace penstock {

/// Of one service; `place` names it.
[[nodiscard]] std::optional<CompileError>
check_policy(const ServiceSpec& service, const DesiredState& desired, const std::string& place);

/// Of all: NAT sources and the number of prefixes.
[[nodiscard]] std::optional<CompileError> check_policies(const DesiredState& desired);

} // namespace penstock
