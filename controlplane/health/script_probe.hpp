// SPDX-License-Identifier: Apache-2.0
// Script probes: a program's exit status, 0 is good. It runs as another user, in a process group of
// its own, without a shell, with an environment of ours, no descriptor but its output, and an empty
// standard input. When it has ended, or its time or its output is over, the whole group is killed.
// Its output is not trusted: the first line of it is quoted when the probe is bad.
//
// Environment: PATH, PENSTOCK_ADDRESS, PENSTOCK_PORT (of the backend), PENSTOCK_VIP,
// PENSTOCK_VIP_PORT, PENSTOCK_PROTOCOL, PENSTOCK_TIMEOUT_MS.
//
// Thread rule: the loop's thread. Must be destroyed before the loop.
#pragma once

#include "controlplane/health/probe_request.hpp"
#include "controlplane/health/probe_result.hpp"

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <memory>

namespace penstock {

/// More output ends the script: it does not tell health but something else.
inline constexpr std::size_t max_script_output = 64U << 10U;

/// Of all services together. Further ones are inconclusive.
inline constexpr std::size_t max_scripts_running = 128;

class ScriptProber {
public:
    explicit ScriptProber(boost::asio::io_context& loop);
    ScriptProber(const ScriptProber&) = delete;
    ScriptProber& operator=(const ScriptProber&) = delete;
    /// Kills what runs, without a result.
    ~ScriptProber();

    /// Calls `done` once, never from within this call.
    void start(const ProbeRequest& request, ProbeDone done);

private:
    class Run;
    struct Runs;
    std::shared_ptr<Runs> runs_;
};

} // namespace penstock
