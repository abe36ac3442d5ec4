// SPDX-License-Identifier: Apache-2.0
// A TCP probe: one connect, then a close by RST, so that ten thousand probes leave no TIME_WAIT
// behind.
//
// Thread rule: the loop's thread.
#pragma once

#include "controlplane/health/probe_state.hpp"
#include "dataplane/core/desired_state.hpp"

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>

namespace penstock {

using ProbeDone = std::move_only_function<void(ProbeResult)>;

/// Connects to `backend` and calls `done` once, never from within this call, after at most
/// `timeout`.
void start_tcp_probe(
    boost::asio::io_context& loop,
    const BackendKey& backend,
    std::chrono::milliseconds timeout,
    ProbeDone done
);

/// What a connect error says: about the backend (bad) or about us (inconclusive: descriptors,
/// memory, local ports). `system_errno` is an errno value.
[[nodiscard]] ProbeResult describe_connect_error(int system_errno);

} // namespace penstock
