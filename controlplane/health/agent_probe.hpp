// SPDX-License-Identifier: Apache-2.0
// Agent probes: connect, send `send` if there is one, read one line (agent_line.hpp). The line's
// report comes with the result.
//
// Thread rule: the loop's thread.
#pragma once

#include "controlplane/health/probe_request.hpp"
#include "controlplane/health/probe_result.hpp"

#include <boost/asio/io_context.hpp>

namespace penstock {

/// Calls `done` once, never from within this call. At most max_agent_line bytes are read.
void start_agent_probe(boost::asio::io_context& loop, const ProbeRequest& request, ProbeDone done);

} // namespace penstock
