// SPDX-License-Identifier: Apache-2.0
// The listening end of the control socket: connections, hellos, framing, limits. What a request
// means is the RequestHandler's business (control.cpp).
//
// Thread rule: the main loop's thread. Nothing blocks: messages larger than inline_bytes are
// decoded on the builder thread, and a connection reads no further until that is done, so its
// requests stay in order.
//
// A client that breaks the protocol, is too slow (client_timeout for a hello, for the rest of a
// message begun, or to take its answers) or has too much in flight gets a Refused with id 0, as far
// as it listens, and is cut off. Nothing a client does reaches forwarding.
//
// Room. At most `clients` are served. When one more comes, the one that has been idle the longest,
// and for longer than client_timeout, gives up its place, so that idle connections cannot lock
// others out; if all are busy the newcomer is refused. Refused connections that have not closed yet
// are at most `refused_clients` more; beyond that a newcomer is closed without a word. Without a
// free file descriptor nobody is accepted for a second.
#pragma once

#include "dataplane/api/framing.hpp"
#include "dataplane/api/messages.hpp"
#include "dataplane/api/refusal.hpp"
#include "dataplane/dpdk/main_loop.hpp"
#include "dataplane/dpdk/work_thread.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace penstock {

/// Names a connection for the life of the server.
struct ConnectionId {
    std::uint64_t value = 0;
    friend auto operator<=>(ConnectionId, ConnectionId) = default;
};

class RequestHandler {
public:
    RequestHandler() = default;
    RequestHandler(const RequestHandler&) = delete;
    RequestHandler& operator=(const RequestHandler&) = delete;
    virtual ~RequestHandler() = default;

    /// A valid request. Exactly one ControlServer::reply() must follow, now or later.
    virtual void handle(ConnectionId connection, Request request) = 0;

    /// For Refused messages about a connection.
    [[nodiscard]] virtual std::uint64_t current_generation() const = 0;
};

struct ControlServerLimits {
    std::size_t clients = 32;
    std::size_t refused_clients = 8;     ///< connected beyond `clients`, being refused
    std::size_t requests_in_flight = 64; ///< of one client
    std::size_t output_bytes = std::size_t{32} << 20U; ///< waiting for one client
    std::size_t input_bytes = 2 * max_message_bytes; ///< of all clients' messages begun, not ended
    std::size_t inline_bytes = 16384;                ///< decoded on the main lcore up to here
    std::chrono::milliseconds client_timeout{5000};
};

class ControlServer {
public:
    /// Listens at `path`, mode 0660. The socket file of a dead process is replaced; a living
    /// process behind it, or a file that is no socket, is an error.
    [[nodiscard]] static std::expected<std::unique_ptr<ControlServer>, Refusal> create(
        const std::string& path,
        const Hello& hello,
        MainLoop& loop,
        WorkThread& worker,
        RequestHandler& handler,
        ControlServerLimits limits = {}
    );

    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

    /// Closes every connection and removes the socket file. The worker must not run its work any
    /// more.
    ~ControlServer();

    /// Answers a request; a connection that is gone swallows it.
    void reply(ConnectionId connection, const Reply& reply);

    /// As above, with a frame encoded elsewhere (codec.hpp, encode_frame).
    void reply(ConnectionId connection, std::vector<std::uint8_t> frame);

private:
    struct Client;

    ControlServer(MainLoop& loop, WorkThread& worker, RequestHandler& handler);
    void accept_clients();
    void add_client(int fd);
    [[nodiscard]] bool make_room();
    void pause_accepting();
    void serve(Client& client, std::uint32_t events);
    void read_some(Client& client, bool is_gone);
    [[nodiscard]] std::size_t input_held() const;
    void take_messages(ConnectionId id);
    void take_message(Client& client, std::expected<ClientMessage, Refusal> message);
    void take_hello(Client& client, const Hello& hello);
    void take_request(Client& client, Request request);
    void send(Client& client, std::vector<std::uint8_t> frame);
    void flush(Client& client);
    void refuse(Client& client, Refusal refusal);
    void remove(ConnectionId id);
    void cut_off_slow_clients();
    void schedule_check();
    void update_interest(Client& client);
    [[nodiscard]] Client* find(ConnectionId id);

    MainLoop& loop_;
    WorkThread& worker_;
    RequestHandler& handler_;
    ControlServerLimits limits_;
    Hello hello_;
    std::string path_;
    int listen_fd_ = -1;
    std::uint64_t next_id_ = 1;
    MainLoop::Timer check_;
    MainLoop::Timer accept_again_;
    MainLoop::Clock::time_point next_overflow_warning_{};
    std::map<ConnectionId, std::unique_ptr<Client>> clients_;
};

} // namespace penstock
