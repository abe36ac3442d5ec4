// SPDX-License-Identifier: Apache-2.0
// A session over TLS, behind a function: session.hpp over this stream takes the compiler minutes, and the
// rules of the network should not wait for them.
//
// Thread rule: the loop's thread.
#pragma once

#include "controlplane/api/door.hpp"
#include "controlplane/api/http.hpp"

#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <memory>

namespace penstock {

using TlsStream = boost::beast::ssl_stream<boost::beast::tcp_stream>;

/// Serves requests on `stream`, whose handshake is done, until one of both ends it; `place` is held as long.
void start_network_session(
    TlsStream stream,
    std::unique_ptr<Door> door,
    std::shared_ptr<const HttpHandler> handler,
    std::shared_ptr<void> place
);

} // namespace penstock
