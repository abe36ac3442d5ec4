// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 on a Unix socket. Beast stands behind this header and network_api.hpp alone.
//
// Bounds: max_connections at a time, and those of session.hpp. A slow or hostile client costs its
// connection, nothing else.
//
// Thread rule: the loop's thread. Must be destroyed before the loop.
#pragma once

#include "controlplane/api/http.hpp"
#include "controlplane/api/peer.hpp"
#include "dataplane/api/refusal.hpp"

#include <boost/asio/io_context.hpp>
#include <expected>
#include <memory>
#include <string>

namespace penstock {

inline constexpr std::size_t max_connections = 64;

class ApiServer {
public:
    /// Binds `path` with mode 0660, or 0666 if `peers` has roles for groups. A socket that nobody listens on any more is replaced; one that
    /// is answered belongs to another penstock-cp, and this is refused.
    [[nodiscard]] static std::expected<std::unique_ptr<ApiServer>, Refusal> listen(
        boost::asio::io_context& loop,
        const std::string& path,
        PeerRegistry peers,
        HttpHandler handler
    );

    ApiServer(const ApiServer&) = delete;
    ApiServer& operator=(const ApiServer&) = delete;
    /// Closes and removes the socket.
    ~ApiServer();

private:
    class Listener;
    explicit ApiServer(std::shared_ptr<Listener> listener);
    std::shared_ptr<Listener> listener_;
};

} // namespace penstock
