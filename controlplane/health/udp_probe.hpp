// SPDX-License-Identifier: Apache-2.0
// UDP probes: `send` goes out, and what comes back must contain `expect` (any answer without one).
//
// Thread rule: the loop's thread.
#pragma once

#include "controlplane/health/probe_request.hpp"
#include "controlplane/health/probe_result.hpp"

#include <boost/asio/io_context.hpp>

namespace penstock {

/// Calls `done` once, never from within this call.
void start_udp_probe(boost::asio::io_context& loop, const ProbeRequest& request, ProbeDone done);

} // namespace penstock
