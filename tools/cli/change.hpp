// SPDX-License-Identifier: Apache-2.0
// How a change went: the control plane's reply to apply, drain, enable and disable, for people and
// as an exit code (docs/reference/api.md, "Replies to a change").
//
// Thread rule: called from main.
#pragma once

#include "tools/cli/run.hpp"

#include <boost/json/fwd.hpp>

#include <string_view>

namespace penstock::cli {

class Document;

/// `what` begins the sentence: "web/web-2: drain". ExitCode::ok if the change is live,
/// ExitCode::timed_out if it was accepted but is not.
RunResult report_change(
    Document& document,
    const boost::json::value& reply,
    std::string_view what,
    const Invocation& invocation,
    Output& output
);

} // namespace penstock::cli
