// SPDX-License-Identifier: Apache-2.0
// Makes a probe of any type.
//
// Thread rule: the loop's thread. Must be destroyed before the loop.
#pragma once

#include "controlplane/health/http_probe.hpp"
#include "controlplane/health/probe_request.hpp"
#include "controlplane/health/probe_result.hpp"
#include "controlplane/health/script_probe.hpp"
#include "controlplane/health/tcp_probe.hpp"

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <random>

namespace penstock {

class Prober {
public:
    explicit Prober(boost::asio::io_context& loop);
    Prober(const Prober&) = delete;
    Prober& operator=(const Prober&) = delete;
    ~Prober() = default;

    /// Calls `done` once, never from within this call, at most some 10 ms after the timeout.
    /// REQUIRES: the type is not none.
    void start(const ProbeRequest& request, ProbeDone done);

private:
    boost::asio::io_context& loop_;
    TcpProber tcp_;
    HttpProber http_;
    ScriptProber script_;
    /// Ids of queries and tokens of echoes: off the path nobody can guess them.
    std::random_device random_;
};

/// What starting a probe costs the loop, in units of a TCP connect (some 10 µs).
[[nodiscard]] std::size_t cost_of_start(config::ProbeType type);

} // namespace penstock
