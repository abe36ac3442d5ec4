// SPDX-License-Identifier: Apache-2.0
// What the answer to an HTTP, HTTPS or gRPC probe says of the server.
//
// Thread rule: pure functions. The answer is untrusted: what of it is shown is quoted and cut.
#pragma once

#include "controlplane/config/probe_config.hpp"
#include "controlplane/health/probe_result.hpp"

#include <cstddef>
#include <curl/curl.h>
#include <string>

namespace penstock {

struct HttpAnswer {
    CURLcode code = CURLE_OK;
    std::string error;    ///< curl's words for it; may hold words of the server's
    int socket_errno = 0; ///< why no socket could be had; 0: one could
    int system_errno = 0; ///< of a failed connect, send or receive
    bool is_connected = false;
    bool is_secured = false; ///< the TLS handshake is over
    bool is_http2 = false;
    long status = 0;
    std::size_t header_bytes = 0;
    std::size_t body_bytes = 0;
    bool is_header_cut = false; ///< there was more than is read
    bool is_body_cut = false;
    std::string body;         ///< kept only if the probe looks into it
    std::string location;     ///< the first Location header
    std::string grpc_status;  ///< the last one: trailers come after headers
    std::string grpc_message; ///< percent-encoded
};

/// REQUIRES: speaks_http(probe.type).
[[nodiscard]] ProbeResult
judge_http_answer(const config::ProbeConfig& probe, const HttpAnswer& answer);

} // namespace penstock
