// SPDX-License-Identifier: Apache-2.0
#include "dataplane/api/client.hpp"

#include "dataplane/api/codec.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace penstock {
namespace {

Refusal system_refusal(const std::string& place, const char* what, const char* remedy) {
    return {place, fmt::format("{}: {}", what, std::generic_category().message(errno)), remedy};
}

Refusal timeout_refusal() {
    return {
        "dataplane", "no answer in time", "see whether penstock-dp runs: its log and its heartbeats"
    };
}

/// Waits until `fd` can be read or written; false when the deadline has passed.
bool wait_for(int fd, short events, std::chrono::steady_clock::time_point deadline) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now()
        );
        if (left.count() <= 0) {
            return false;
        }
        struct pollfd entry{.fd = fd, .events = events, .revents = 0};
        const int ready = ::poll(&entry, 1, static_cast<int>(left.count()));
        if (ready > 0) {
            return true; // an error on it shows at the read or write that follows
        }
        if (ready < 0 && errno != EINTR) {
            return false;
        }
    }
}

} // namespace

DataplaneClient::DataplaneClient(DataplaneClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      next_id_(other.next_id_),
      next_sequence_(other.next_sequence_),
      decoder_(std::move(other.decoder_)),
      server_(std::move(other.server_)) {}

DataplaneClient& DataplaneClient::operator=(DataplaneClient&& other) noexcept {
    if (this != &other) {
        close();
        fd_ = std::exchange(other.fd_, -1);
        next_id_ = other.next_id_;
        next_sequence_ = other.next_sequence_;
        decoder_ = std::move(other.decoder_);
        server_ = std::move(other.server_);
    }
    return *this;
}

DataplaneClient::~DataplaneClient() {
    close();
}

void DataplaneClient::close() {
    if (fd_ >= 0) {
        ::close(fd_);
        fd_ = -1;
    }
}

std::expected<DataplaneClient, Refusal> DataplaneClient::connect(
    const std::string& socket_path, const std::string& program, std::chrono::milliseconds timeout
) {
    const auto deadline = Clock::now() + timeout;
    struct sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_path.empty() || socket_path.size() >= sizeof(address.sun_path)) {
        return std::unexpected(Refusal{
            socket_path,
            fmt::format("a socket path of {} bytes", socket_path.size()),
            fmt::format("use 1 to {} bytes", sizeof(address.sun_path) - 1),
        });
    }
    std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
    DataplaneClient client(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (client.fd_ < 0) {
        return std::unexpected(system_refusal(socket_path, "cannot make a socket", "close files"));
    }
    // A Unix socket connects at once or not at all; EAGAIN is a full backlog.
    if (::connect(client.fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
        return std::unexpected(system_refusal(
            socket_path, "cannot connect to the dataplane", "start penstock-dp, or become its user"
        ));
    }
    Hello hello{.program = program};
    while (hello.instance_id == 0) {
        if (::getrandom(&hello.instance_id, sizeof(hello.instance_id), 0) < 0) {
            return std::unexpected(system_refusal("hello", "no random number", "see the kernel log")
            );
        }
    }
    const auto frame = encode_frame(ClientMessage{hello});
    if (!frame) {
        return std::unexpected(frame.error());
    }
    if (auto sent = client.send(*frame, deadline); !sent) {
        return std::unexpected(sent.error());
    }
    auto message = client.receive(deadline);
    if (!message) {
        return std::unexpected(message.error());
    }
    auto* const server = std::get_if<Hello>(&*message);
    if (server == nullptr) {
        return std::unexpected(
            Refusal{socket_path, "it did not begin with a hello", "name penstock-dp's socket"}
        );
    }
    if (auto checked = check_hello(*server); !checked) {
        return std::unexpected(checked.error());
    }
    client.server_ = std::move(*server);
    return client;
}

std::expected<void, Refusal>
DataplaneClient::send(std::span<const std::uint8_t> bytes, Clock::time_point deadline) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN) {
            if (!wait_for(fd_, POLLOUT, deadline)) {
                return std::unexpected(timeout_refusal());
            }
        } else if (errno != EINTR) {
            return std::unexpected(
                system_refusal("dataplane", "cannot send to it", "see penstock-dp's log")
            );
        }
    }
    return {};
}

std::expected<ServerMessage, Refusal> DataplaneClient::receive(Clock::time_point deadline) {
    std::array<std::uint8_t, 65536> bytes{};
    for (;;) {
        auto message = decoder_.next();
        if (!message) {
            return std::unexpected(message.error());
        }
        if (*message) {
            return decode_server_message(**message);
        }
        const ssize_t received = ::recv(fd_, bytes.data(), bytes.size(), 0);
        if (received > 0) {
            decoder_.append({bytes.data(), static_cast<std::size_t>(received)});
        } else if (received == 0) {
            return std::unexpected(
                Refusal{"dataplane", "it closed the connection", "see penstock-dp's log"}
            );
        } else if (errno == EAGAIN) {
            if (!wait_for(fd_, POLLIN, deadline)) {
                return std::unexpected(timeout_refusal());
            }
        } else if (errno != EINTR) {
            return std::unexpected(
                system_refusal("dataplane", "cannot receive from it", "see penstock-dp's log")
            );
        }
    }
}

std::expected<Reply, Refusal>
DataplaneClient::exchange(Request request, Clock::time_point deadline) {
    const auto fail = [this](Refusal refusal) {
        close(); // a late answer must not be taken for the next one
        return std::unexpected(std::move(refusal));
    };
    if (fd_ < 0) {
        return fail({"dataplane", "the connection was closed", "connect again"});
    }
    request.id = next_id_++;
    const std::uint64_t id = request.id;
    const auto frame = encode_frame(ClientMessage{std::move(request)});
    if (!frame) {
        return std::unexpected(frame.error());
    }
    // A refusal of the connection explains a failed send better than EPIPE does: it may be waiting.
    const auto sent = send(*frame, deadline);
    for (;;) {
        auto message = receive(deadline);
        if (!message) {
            return fail(sent ? message.error() : sent.error());
        }
        auto* const reply = std::get_if<Reply>(&*message);
        if (reply == nullptr) {
            return fail({"dataplane", "a second hello", "name penstock-dp's socket"});
        }
        if (reply->id == id) {
            return std::move(*reply);
        }
        if (const auto* refused = std::get_if<Refused>(&reply->body); refused && reply->id == 0) {
            return fail(refused->refusal);
        }
        return fail({"dataplane", "an answer that was not asked for", "name penstock-dp's socket"});
    }
}

namespace {

std::expected<std::variant<Applied, Refused>, Refusal>
to_outcome(std::expected<Reply, Refusal> reply) {
    if (!reply) {
        return std::unexpected(reply.error());
    }
    if (auto* applied = std::get_if<Applied>(&reply->body)) {
        return *applied;
    }
    if (auto* refused = std::get_if<Refused>(&reply->body)) {
        return std::move(*refused);
    }
    return std::unexpected(
        Refusal{"dataplane", "a status in answer to a change", "name penstock-dp's socket"}
    );
}

} // namespace

std::expected<std::variant<Applied, Refused>, Refusal>
DataplaneClient::apply(const DesiredState& state, std::chrono::milliseconds timeout) {
    return to_outcome(exchange({.body = ApplyDesiredState{state}}, Clock::now() + timeout));
}

std::expected<std::variant<Applied, Refused>, Refusal> DataplaneClient::update_health(
    std::vector<HealthChange> changes, std::chrono::milliseconds timeout
) {
    UpdateHealth update{.sequence = next_sequence_++, .changes = std::move(changes)};
    return to_outcome(exchange({.body = std::move(update)}, Clock::now() + timeout));
}

std::expected<Status, Refusal> DataplaneClient::get_status(std::chrono::milliseconds timeout) {
    auto reply = exchange({.body = GetStatus{}}, Clock::now() + timeout);
    if (!reply) {
        return std::unexpected(reply.error());
    }
    if (auto* status = std::get_if<Status>(&reply->body)) {
        return std::move(*status);
    }
    if (auto* refused = std::get_if<Refused>(&reply->body)) {
        return std::unexpected(refused->refusal);
    }
    return std::unexpected(
        Refusal{"dataplane", "no status in answer to GetStatus", "name penstock-dp's socket"}
    );
}

} // namespace penstock
