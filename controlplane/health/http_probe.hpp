// SPDX-License-Identifier: Apache-2.0
// HTTP, HTTPS and gRPC probes: one request on a fresh connection each, by libcurl. No redirect is
// followed, no proxy used, no name looked up, and at most max_probe_body_bytes of the body and as
// many of the headers are read.
//
// Thread rule: the loop's thread. The prober must outlive the loop's last run and be destroyed
// before it.
#pragma once

#include "controlplane/health/curl_transfer.hpp"
#include "controlplane/health/probe_request.hpp"
#include "controlplane/health/probe_result.hpp"

#include <boost/asio/io_context.hpp>
#include <cstddef>

namespace penstock {

inline constexpr std::size_t max_probe_body_bytes = 64U << 10U;

class HttpProber {
public:
    explicit HttpProber(boost::asio::io_context& loop) : transfers_(loop) {}

    /// Calls `done` once, never from within this call. REQUIRES: speaks_http(request.probe->type).
    void start(const ProbeRequest& request, ProbeDone done);

private:
    CurlTransfers transfers_;
};

} // namespace penstock
