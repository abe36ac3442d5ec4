// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 on a Unix socket. The only header of the folder behind which Beast stands.
//
// Bounds: max_connections at a time, max_head_bytes, max_body_bytes, 10 s for a request to arrive
// and for a reply to be taken, 30 s idle in between. A slow or hostile client costs its connection,
// nothing else.
//
// Thread rule: the loop's thread. Must be destroyed before the loop.
#pragma once

#include "controlplane/api/http.hpp"
#include "controlplane/api/peer.hpp"
#include "dataplane/api/refusal.hpp"

#include <boost/asio/io_context.hpp>
#include <expected>
#include <functional>
#include <memory>
#include <string>

namespace penstock {

inline constexpr std::size_t max_connections = 64;

class ApiServer {
public:
    using Handler = std::function<void(HttpRequest, Respond)>;

    /// Binds `path` with mode 0660, or 0666 if `peers` has roles for groups. A socket that nobody listens on any more is replaced; one that
    /// is answered belongs to another penstock-cp, and this is refused.
    [[nodiscard]] static std::expected<std::unique_ptr<ApiServer>, Refusal> listen(
        boost::asio::io_context& loop, const std::string& path, PeerRegistry peers, Handler handler
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
