// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 over TLS 1.3 over TCP: [api] of the configuration. Without it nothing listens.
//
// Bounds: max_network_connections, of them max_connections_per_client from one address (IPv6: /64), each 10 s
// for its handshake; then those of session.hpp. max_handshakes_per_s, because each costs the loop a
// signature: beyond them connections wait in the kernel. What is too much is closed without a word, which
// costs less than a handshake. [api] rate limits requests, and the connections of who has no more of them.
//
// The files are looked at every file_look, and at every apply and reload; what is new in them counts for
// the next handshake and the next request. While they cannot be used, the last good ones stay.
//
// Thread rule: the loop's thread. Must be destroyed before the loop.
#pragma once

#include "controlplane/api/audit_log.hpp"
#include "controlplane/api/http.hpp"
#include "controlplane/api/views.hpp"
#include "controlplane/config/api_config.hpp"
#include "controlplane/config/diagnostic.hpp"
#include "controlplane/events/event_log.hpp"

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace penstock {

inline constexpr std::size_t max_network_connections = 64;
inline constexpr std::size_t max_connections_per_client = 16;
inline constexpr unsigned max_handshakes_per_s = 200;
inline constexpr std::chrono::seconds handshake_timeout{10};
inline constexpr std::chrono::seconds file_look{5};

class NetworkApi {
public:
    /// `audit` is told of refused logins.
    NetworkApi(
        boost::asio::io_context& loop,
        EventLog& events,
        HttpHandler handler,
        std::function<void(const AuditEntry&)> audit
    );
    NetworkApi(const NetworkApi&) = delete;
    NetworkApi& operator=(const NetworkApi&) = delete;
    ~NetworkApi();

    /// Why set() would not work: files that cannot be used, an address that cannot be listened at. Empty if
    /// it would.
    [[nodiscard]] config::Diagnostics check(const std::optional<config::ApiConfig>& api) const;

    /// From now on; nothing ends it. What does not work is an event and in view(), and tried again.
    void set(const std::optional<config::ApiConfig>& api);

    [[nodiscard]] NetworkView view() const;

private:
    class Listener;
    std::shared_ptr<Listener> listener_;
};

} // namespace penstock
