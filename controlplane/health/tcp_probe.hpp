// SPDX-License-Identifier: Apache-2.0
// TCP probes: one connect each, then a close by RST, so that ten thousand probes leave no TIME_WAIT
// behind.
//
// They are the ones that there are ten thousand of, so they do not pay for generality: all sockets
// wait in one epoll instance that the loop watches as a single descriptor, and one timer serves all
// deadlines. What remains is what the kernel asks for a connect (docs/performance.md).
//
// Thread rule: the loop's thread. Must be destroyed before the loop.
#pragma once

#include "controlplane/health/probe_request.hpp"
#include "controlplane/health/probe_result.hpp"

#include <boost/asio/io_context.hpp>
#include <memory>

namespace penstock {

class TcpProber {
public:
    explicit TcpProber(boost::asio::io_context& loop);
    TcpProber(const TcpProber&) = delete;
    TcpProber& operator=(const TcpProber&) = delete;
    /// Ends running probes without a result.
    ~TcpProber();

    /// Connects to `request.target` and calls `done` once, never from within this call, at most 10
    /// ms after the timeout.
    void start(const ProbeRequest& request, ProbeDone done);

private:
    class Attempts;
    std::shared_ptr<Attempts> attempts_; ///< its handlers may outlive this by a turn of the loop
};

} // namespace penstock
