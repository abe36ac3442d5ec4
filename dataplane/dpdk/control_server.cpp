// SPDX-License-Identifier: Apache-2.0
// This file is long because every way a client can be slow, wrong or gone is dealt with here,
// beside the one list of clients that it ends in.
#include "dataplane/dpdk/control_server.hpp"

#include "dataplane/api/codec.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace penstock {

struct ControlServer::Client {
    using Clock = MainLoop::Clock;

    ConnectionId id;
    int fd = -1;
    FrameDecoder decoder;
    std::vector<std::uint8_t> output;
    std::size_t output_sent = 0;
    std::size_t in_flight = 0;       ///< requests without their reply
    std::uint64_t last_sequence = 0; ///< of its health updates
    bool has_hello = false;
    bool is_decoding = false;                      ///< a message of it is on the builder thread
    bool is_closing = false;                       ///< refused: only its output still goes out
    bool has_ended = false;                        ///< it sends no more
    Clock::time_point input_since = Clock::now();  ///< since when we wait for the rest of something
    Clock::time_point output_since = Clock::now(); ///< since when its output has not moved

    [[nodiscard]] std::size_t output_left() const { return output.size() - output_sent; }

    /// Neither side owes the other anything.
    [[nodiscard]] bool is_idle() const {
        return has_hello && !is_closing && !is_decoding && in_flight == 0 && output_left() == 0 &&
               !decoder.has_partial();
    }

    [[nodiscard]] Clock::time_point last_active() const {
        return std::max(input_since, output_since);
    }
};

namespace {

constexpr std::chrono::milliseconds accept_pause{1000};

std::string system_text(const char* what) {
    return fmt::format("{}: {}", what, std::generic_category().message(errno));
}

/// True if somebody accepts connections there.
bool is_alive(const struct sockaddr_un& address) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    // EAGAIN is a living process with a full backlog; only a refused connection is a dead one.
    const bool alive = fd >= 0 && (result == 0 || errno == EAGAIN);
    if (fd >= 0) {
        ::close(fd);
    }
    return alive;
}

/// A listening socket at `path`.
std::expected<int, Refusal> listen_at(const std::string& path) {
    struct sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path)) {
        return std::unexpected(Refusal{
            path,
            fmt::format("a socket path of {} bytes", path.size()),
            fmt::format("use 1 to {} bytes", sizeof(address.sun_path) - 1),
        });
    }
    std::memcpy(address.sun_path, path.data(), path.size());

    struct stat existing{};
    if (::lstat(path.c_str(), &existing) == 0) {
        if (!S_ISSOCK(existing.st_mode)) {
            return std::unexpected(Refusal{
                path, "there is a file that is no socket", "remove it or choose another path"
            });
        }
        if (is_alive(address)) {
            return std::unexpected(Refusal{
                path, "another penstock-dp serves here", "stop it or choose another socket path"
            });
        }
        ::unlink(path.c_str());
    }
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return std::unexpected(
            Refusal{path, system_text("cannot make a socket"), "raise the limit of open files"}
        );
    }
    // Nobody may connect between bind and chmod: nothing listens yet.
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
        ::chmod(path.c_str(), 0660) != 0 || ::listen(fd, SOMAXCONN) != 0) {
        Refusal refusal{path, system_text("cannot listen"), "make its directory, writable by us"};
        ::close(fd);
        return std::unexpected(std::move(refusal));
    }
    return fd;
}

} // namespace

ControlServer::ControlServer(MainLoop& loop, WorkThread& worker, RequestHandler& handler)
    : loop_(loop), worker_(worker), handler_(handler) {}

std::expected<std::unique_ptr<ControlServer>, Refusal> ControlServer::create(
    const std::string& path,
    const Hello& hello,
    MainLoop& loop,
    WorkThread& worker,
    RequestHandler& handler,
    ControlServerLimits limits
) {
    auto fd = listen_at(path);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    std::unique_ptr<ControlServer> self(new ControlServer(loop, worker, handler));
    ControlServer& server = *self;
    server.limits_ = limits;
    server.hello_ = hello;
    server.path_ = path;
    server.listen_fd_ = *fd;
    auto watched = loop.watch(*fd, EPOLLIN, [&server](std::uint32_t) { server.accept_clients(); });
    if (!watched) {
        return std::unexpected(watched.error());
    }
    server.schedule_check();
    return self;
}

ControlServer::~ControlServer() {
    loop_.cancel(check_);
    loop_.cancel(accept_again_);
    while (!clients_.empty()) {
        remove(clients_.begin()->first);
    }
    if (listen_fd_ >= 0) {
        loop_.forget(listen_fd_);
        ::close(listen_fd_);
        ::unlink(path_.c_str());
    }
}

ControlServer::Client* ControlServer::find(ConnectionId id) {
    const auto found = clients_.find(id);
    return found == clients_.end() ? nullptr : found->second.get();
}

void ControlServer::accept_clients() {
    const int fd = ::accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
            spdlog::warn("control socket: {}", system_text("cannot accept a client"));
            pause_accepting();
        }
        return; // one a turn: others are served in between
    }
    if (clients_.size() >= limits_.clients + limits_.refused_clients) {
        if (const auto now = Client::Clock::now(); now >= next_overflow_warning_) {
            next_overflow_warning_ = now + accept_pause; // connecting is cheap, the log is not
            spdlog::warn(
                "control socket: {} clients are connected: more are closed at once", clients_.size()
            );
        }
        ::close(fd);
        return;
    }
    add_client(fd);
}

void ControlServer::add_client(int fd) {
    auto client = std::make_unique<Client>();
    client->id = {next_id_++};
    client->fd = fd;
    const ConnectionId id = client->id;
    Client& served = *client;
    const auto watched =
        loop_.watch(fd, EPOLLIN, [this, &served](std::uint32_t events) { serve(served, events); });
    if (!watched) {
        spdlog::warn("control socket: {}", to_string(watched.error()));
        ::close(fd);
        return;
    }
    const bool has_room = make_room();
    clients_.emplace(id, std::move(client));
    if (auto frame = encode_frame(ServerMessage{hello_})) {
        send(served, std::move(*frame));
    }
    Client* const still = find(id);
    if (!has_room && still != nullptr) {
        refuse(
            *still,
            {"connection",
             fmt::format("{} clients are connected already", limits_.clients),
             "close one of them"}
        );
    }
}

bool ControlServer::make_room() {
    const auto limit = Client::Clock::now() - limits_.client_timeout;
    std::size_t served = 0;
    Client* idlest = nullptr;
    for (const auto& [id, client] : clients_) {
        served += client->is_closing ? 0 : 1;
        if (client->is_idle() && client->last_active() < limit &&
            (idlest == nullptr || client->last_active() < idlest->last_active())) {
            idlest = client.get();
        }
    }
    if (served < limits_.clients) {
        return true;
    }
    if (idlest == nullptr) {
        return false;
    }
    refuse(
        *idlest,
        {"connection",
         fmt::format(
             "it asked nothing for more than {} ms and its place is needed",
             limits_.client_timeout.count()
         ),
         "connect again"}
    );
    return true;
}

void ControlServer::pause_accepting() {
    // The listener stays readable: without the pause it would be tried again every turn.
    loop_.change(listen_fd_, 0);
    accept_again_ = loop_.call_after(accept_pause, [this] { loop_.change(listen_fd_, EPOLLIN); });
}

void ControlServer::serve(Client& client, std::uint32_t events) {
    const ConnectionId id = client.id;
    if ((events & EPOLLOUT) != 0) {
        flush(client);
    }
    Client* const still = find(id);
    if (still != nullptr && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        read_some(*still, (events & EPOLLHUP) != 0);
    }
}

void ControlServer::read_some(Client& client, bool is_gone) {
    std::array<std::uint8_t, 65536> bytes{};
    const ssize_t received = ::recv(client.fd, bytes.data(), bytes.size(), 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    const ConnectionId id = client.id;
    if (received < 0) {
        remove(id);
        return;
    }
    if (received == 0) {
        // It may have shut down only its sending side and still wait for replies.
        client.has_ended = true;
        if (is_gone ||
            (client.in_flight == 0 && client.output_left() == 0 && !client.is_decoding)) {
            remove(id);
        } else {
            update_interest(client);
        }
        return;
    }
    if (client.is_closing) {
        return; // read and forgotten, so that its refusal is not lost to a reset
    }
    if (!client.decoder.has_partial()) {
        client.input_since = Client::Clock::now();
    }
    client.decoder.append({bytes.data(), static_cast<std::size_t>(received)});
    if (client.decoder.buffered_bytes() > limits_.inline_bytes &&
        input_held() > limits_.input_bytes) {
        refuse(
            client,
            {"connection",
             fmt::format("all clients' messages have {} bytes, too many", limits_.input_bytes),
             "send large states over one connection, one after the other"}
        );
        return;
    }
    take_messages(id);
}

std::size_t ControlServer::input_held() const {
    std::size_t bytes = 0;
    for (const auto& [id, client] : clients_) {
        bytes += client->is_closing ? 0 : client->decoder.buffered_bytes();
    }
    return bytes;
}

void ControlServer::take_messages(ConnectionId id) {
    for (;;) {
        Client* const client = find(id);
        if (client == nullptr || client->is_closing || client->is_decoding) {
            return;
        }
        const auto next = client->decoder.next();
        if (!next) {
            refuse(*client, next.error());
            return;
        }
        if (!*next) {
            return;
        }
        client->input_since = Client::Clock::now();
        const std::span<const std::uint8_t> message = **next;
        if (message.size() <= limits_.inline_bytes) {
            take_message(*client, decode_client_message(message));
            continue;
        }
        client->is_decoding = true;
        update_interest(*client);
        using Decoded = std::expected<ClientMessage, Refusal>;
        auto result = std::make_shared<Decoded>();
        worker_.run(
            [bytes = std::vector<std::uint8_t>{message.begin(), message.end()}, result] {
                *result = decode_client_message(bytes);
            },
            [this, id, result] {
                if (Client* const waiting = find(id)) {
                    waiting->is_decoding = false;
                    waiting->input_since = Client::Clock::now();
                    update_interest(*waiting);
                    take_message(*waiting, std::move(*result));
                    take_messages(id);
                }
            }
        );
    }
}

void ControlServer::take_message(Client& client, std::expected<ClientMessage, Refusal> message) {
    if (!message) {
        refuse(client, std::move(message.error()));
    } else if (const auto* hello = std::get_if<Hello>(&*message)) {
        take_hello(client, *hello);
    } else {
        take_request(client, std::move(std::get<Request>(*message)));
    }
}

void ControlServer::take_hello(Client& client, const Hello& hello) {
    if (client.has_hello) {
        refuse(client, {"hello", "a second one", "send it once, first"});
        return;
    }
    if (auto checked = check_hello(hello); !checked) {
        refuse(client, std::move(checked.error()));
        return;
    }
    client.has_hello = true;
    spdlog::info("control socket: client {} is {}", client.id.value, hello.program);
}

void ControlServer::take_request(Client& client, Request request) {
    if (!client.has_hello) {
        refuse(client, {"request", "it came before the hello", "send a hello first"});
        return;
    }
    if (client.in_flight >= limits_.requests_in_flight) {
        refuse(
            client,
            {"request",
             fmt::format("{} requests wait for their replies already", client.in_flight),
             "wait for replies"}
        );
        return;
    }
    if (const auto* update = std::get_if<UpdateHealth>(&request.body)) {
        if (update->sequence <= client.last_sequence) {
            refuse(
                client,
                {"update_health, sequence",
                 fmt::format("{} after {}", update->sequence, client.last_sequence),
                 "let it grow within a connection"}
            );
            return;
        }
        client.last_sequence = update->sequence;
    }
    ++client.in_flight;
    handler_.handle(client.id, std::move(request)); // may reply at once, and so remove the client
}

void ControlServer::reply(ConnectionId connection, const Reply& reply) {
    if (find(connection) == nullptr) {
        return;
    }
    auto frame = encode_frame(ServerMessage{reply});
    if (!frame) {
        frame = encode_frame(
            ServerMessage{Reply{reply.id, Refused{frame.error(), handler_.current_generation()}}}
        );
    }
    if (frame) {
        this->reply(connection, std::move(*frame));
    }
}

void ControlServer::reply(ConnectionId connection, std::vector<std::uint8_t> frame) {
    if (Client* const client = find(connection)) {
        client->in_flight -= client->in_flight > 0 ? 1 : 0;
        send(*client, std::move(frame));
    }
}

void ControlServer::send(Client& client, std::vector<std::uint8_t> frame) {
    if (client.output_left() + frame.size() > limits_.output_bytes) {
        spdlog::warn(
            "control socket: client {} does not read its replies: cut off", client.id.value
        );
        remove(client.id);
        return;
    }
    if (client.output_left() == 0) {
        client.output = std::move(frame);
        client.output_sent = 0;
        client.output_since = Client::Clock::now();
    } else {
        client.output.insert(client.output.end(), frame.begin(), frame.end());
    }
    flush(client);
}

void ControlServer::flush(Client& client) {
    constexpr std::size_t bytes_a_turn = std::size_t{256} << 10U; // keeps a handler below 1 ms
    if (client.output_left() > 0) {
        const ssize_t sent = ::send(
            client.fd,
            client.output.data() + client.output_sent,
            std::min(client.output_left(), bytes_a_turn),
            MSG_NOSIGNAL
        );
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            remove(client.id);
            return;
        }
        if (sent > 0) {
            client.output_sent += static_cast<std::size_t>(sent);
            client.output_since = Client::Clock::now();
        }
    }
    if (client.output_left() == 0) {
        client.output.clear();
        client.output_sent = 0;
        const bool is_done = client.is_closing || (client.has_ended && client.in_flight == 0);
        if (is_done && !client.is_decoding) {
            // The other end gets what is on its way, then the end of the stream; bytes of it that
            // we have not read would turn that into a reset, so they are read until it closes or
            // times out.
            ::shutdown(client.fd, SHUT_WR);
            if (client.has_ended) {
                remove(client.id);
                return;
            }
        }
    }
    update_interest(client);
}

void ControlServer::update_interest(Client& client) {
    std::uint32_t events = 0;
    if (!client.is_decoding && !client.has_ended) {
        events |= EPOLLIN;
    }
    if (client.output_left() > 0) {
        events |= EPOLLOUT;
    }
    loop_.change(client.fd, events);
}

void ControlServer::refuse(Client& client, Refusal refusal) {
    spdlog::warn("control socket: client {} refused: {}", client.id.value, to_string(refusal));
    client.is_closing = true;
    client.input_since = Client::Clock::now(); // time for it to read this and close
    const Reply reply{0, Refused{std::move(refusal), handler_.current_generation()}};
    if (auto frame = encode_frame(ServerMessage{reply})) {
        send(client, std::move(*frame));
    }
}

void ControlServer::remove(ConnectionId id) {
    const auto found = clients_.find(id);
    loop_.forget(found->second->fd);
    ::close(found->second->fd);
    clients_.erase(found);
}

void ControlServer::cut_off_slow_clients() {
    const auto limit = Client::Clock::now() - limits_.client_timeout;
    for (auto it = clients_.begin(); it != clients_.end();) {
        Client& client = *it->second;
        const ConnectionId id = (it++)->first; // refuse() and remove() erase it
        const bool owes_input = !client.has_hello || client.decoder.has_partial();
        if (client.output_left() > 0 && client.output_since < limit) {
            spdlog::warn("control socket: client {} does not read: cut off", id.value);
            remove(id);
        } else if (client.is_closing && client.input_since < limit) {
            remove(id);
        } else if (!client.is_closing && !client.is_decoding && owes_input &&
                   client.input_since < limit) {
            refuse(
                client,
                {client.has_hello ? "message" : "hello",
                 fmt::format("it did not come whole within {} ms", limits_.client_timeout.count()),
                 "send it in one go"}
            );
        }
    }
}

void ControlServer::schedule_check() {
    check_ = loop_.call_after(limits_.client_timeout / 4, [this] {
        cut_off_slow_clients();
        schedule_check();
    });
}

} // namespace penstock
