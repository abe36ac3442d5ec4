// SPDX-License-Identifier: Apache-2.0
// HTTP probes: one GET on a fresh connection each, by libcurl's multi interface on our loop. No
// redirect is followed, no proxy used, no name looked up, and at most max_probe_body_bytes are
// read.
//
// Thread rule: the loop's thread. The prober must outlive the loop's last run and be destroyed
// before it.
#pragma once

#include "controlplane/health/tcp_probe.hpp"
#include "dataplane/core/desired_state.hpp"

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace penstock {

inline constexpr std::size_t max_probe_body_bytes = 64U << 10U;

struct HttpProbeRequest {
    BackendKey backend; ///< where to connect
    std::string path;   ///< as in the request line, begins with '/'
    std::string host;   ///< the Host header
    std::uint16_t expect_status_min = 200;
    std::uint16_t expect_status_max = 399;
    std::chrono::milliseconds timeout{1000}; ///< for all of it
};

class HttpProber {
public:
    explicit HttpProber(boost::asio::io_context& loop);
    HttpProber(const HttpProber&) = delete;
    HttpProber& operator=(const HttpProber&) = delete;
    /// Ends running probes without a result.
    ~HttpProber();

    /// Calls `done` once, never from within this call.
    void start(const HttpProbeRequest& request, ProbeDone done);

private:
    class Multi;
    std::unique_ptr<Multi> multi_;
};

} // namespace penstock
