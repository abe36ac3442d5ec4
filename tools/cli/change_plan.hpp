// SPDX-License-Identifier: Apache-2.0
// What a configuration would change, as penstock-cp plans it (docs/reference/api.md, POST
// /v1/config/diff): for diff, and for apply before it cuts traffic.
//
// Thread rule: called from main.
#pragma once

#include "tools/cli/configuration_text.hpp"
#include "tools/cli/failure.hpp"

#include <boost/json/value.hpp>

#include <expected>
#include <string>

namespace penstock::cli {

class ControlClient;
class Object;
class Output;

/// The plan, or why the control plane makes none.
[[nodiscard]] std::expected<boost::json::value, Failure>
fetch_plan(const ConfigurationText& source, ControlClient& client);

/// "1.2 % of the slots move; of 120 live flows, 0 cut and 12 drained".
[[nodiscard]] std::string summarize_plan(const Object& plan);

/// The control plane's diagnostics as `penstock check` prints them, if `failure` has any.
void print_diagnostics(const Failure& failure, Output& output);

} // namespace penstock::cli
