// SPDX-License-Identifier: Apache-2.0
// A failure as a problem document (RFC 9457), for --json: the control plane's own, or one of ours
// with the type urn:penstock:cli: + failed, usage, unreachable or timed-out.
//
// Thread rule: pure function.
#pragma once

#include "tools/cli/failure.hpp"

#include <boost/json/value.hpp>

namespace penstock::cli {

[[nodiscard]] boost::json::value to_problem(const Failure& failure);

} // namespace penstock::cli
