// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/controlplane/process/fake_dataplane.hpp"

#include "dataplane/api/codec.hpp"
#include "dataplane/api/framing.hpp"

#include <array>
#include <cstring>
#include <poll.h>
#include <random>
#include <span>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace penstock {
namespace {

constexpr int poll_ms = 20;

bool is_readable(int fd) {
    pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, poll_ms) > 0;
}

void send_all(int fd, const ServerMessage& message) {
    const auto frame = encode_frame(message);
    if (!frame) {
        throw std::runtime_error(to_string(frame.error()));
    }
    std::span<const std::uint8_t> left(*frame);
    while (!left.empty()) {
        const ssize_t sent = ::send(fd, left.data(), left.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return; // the client is gone: a test that kills it means that
        }
        left = left.subspan(static_cast<std::size_t>(sent));
    }
}

} // namespace

FakeDataplane::FakeDataplane(std::string path, DesiredState initial)
    : path_(std::move(path)),
      instance_id_(std::random_device{}() + 1ULL),
      live_(std::move(initial)) {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    ::unlink(path_.c_str());
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
        ::listen(listener_, 4) != 0) {
        throw std::runtime_error("cannot listen at " + path_);
    }
    thread_ = std::thread([this] { serve(); });
}

FakeDataplane::~FakeDataplane() {
    ending_ = true;
    thread_.join();
    ::close(listener_);
    ::unlink(path_.c_str());
}

DesiredState FakeDataplane::live() const {
    const std::lock_guard lock(mutex_);
    return live_;
}

std::vector<FakeDataplane::Flip> FakeDataplane::flips() const {
    const std::lock_guard lock(mutex_);
    return flips_;
}

std::size_t FakeDataplane::applied_count() const {
    const std::lock_guard lock(mutex_);
    return applied_;
}

std::size_t FakeDataplane::stale_count() const {
    const std::lock_guard lock(mutex_);
    return stale_;
}

void FakeDataplane::refuse_service(const std::string& name) {
    const std::lock_guard lock(mutex_);
    refused_name_ = name;
}

void FakeDataplane::refuse_flips(bool refuse) {
    const std::lock_guard lock(mutex_);
    refuses_flips_ = refuse;
}

void FakeDataplane::set_ports(std::vector<PortStatus> ports) {
    const std::lock_guard lock(mutex_);
    ports_ = std::move(ports);
}

void FakeDataplane::disconnect() {
    disconnecting_ = true;
}

void FakeDataplane::serve() {
    while (!ending_) {
        if (!is_readable(listener_)) {
            continue;
        }
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd >= 0) {
            serve_client(fd);
            ::close(fd);
        }
    }
}

void FakeDataplane::serve_client(int fd) {
    send_all(fd, Hello{.instance_id = instance_id_, .program = "penstock-dp 0.0.9"});
    FrameDecoder decoder;
    std::array<std::uint8_t, 65536> bytes{};
    while (!ending_ && !disconnecting_.exchange(false)) {
        if (!is_readable(fd)) {
            continue;
        }
        const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), 0);
        if (got <= 0) {
            return;
        }
        decoder.append(std::span(bytes).first(static_cast<std::size_t>(got)));
        while (true) {
            const auto frame = decoder.next();
            if (!frame) {
                throw std::runtime_error(to_string(frame.error()));
            }
            if (!*frame) {
                break;
            }
            const auto message = decode_client_message(**frame);
            if (!message) {
                throw std::runtime_error(to_string(message.error()));
            }
            if (const auto* request = std::get_if<Request>(&*message)) {
                while (held_ && !ending_) {
                    std::this_thread::sleep_for(std::chrono::milliseconds(5));
                }
                send_all(fd, answer(*request));
            }
        }
    }
}

Reply FakeDataplane::answer(const Request& request) {
    const std::lock_guard lock(mutex_);
    if (const auto* wanted = std::get_if<ApplyDesiredState>(&request.body)) {
        return apply(request.id, wanted->state);
    }
    if (const auto* health = std::get_if<UpdateHealth>(&request.body)) {
        if (refuses_flips_) {
            return {
                .id = request.id,
                .body =
                    Refused{
                        .refusal = {.place = "", .cause = "no flips", .remedy = ""},
                        .current_generation = live_.generation
                    },
            };
        }
        for (const HealthChange& change : health->changes) {
            flip(change);
        }
        return {.id = request.id, .body = Applied{.generation = live_.generation}};
    }
    return {.id = request.id, .body = make_status()};
}

Reply FakeDataplane::apply(std::uint64_t id, const DesiredState& state) {
    if (state.generation <= live_.generation) {
        ++stale_;
    }
    for (const ServiceSpec& service : state.services) {
        if (!refused_name_.empty() && service.name == refused_name_) {
            return {
                .id = id,
                .body =
                    Refused{
                        .refusal =
                            {.place = "service " + service.name,
                             .cause = "no room for it",
                             .remedy = "remove another service"},
                        .current_generation = live_.generation
                    },
            };
        }
    }
    live_ = state;
    ++applied_;
    return {.id = id, .body = Applied{.generation = state.generation}};
}

void FakeDataplane::flip(const HealthChange& change) {
    flips_.push_back({.change = change, .time = Clock::now()});
    for (ServiceSpec& service : live_.services) {
        for (BackendSpec& backend : service.backends) {
            if (service.key == change.service && backend.key == change.backend) {
                backend.health = change.health;
            }
        }
    }
}

Status FakeDataplane::make_status() const {
    Status status{
        .generation = live_.generation,
        .instance_id = instance_id_,
        .program = "penstock-dp 0.0.9",
        .started_unix_ns = 1,
        .statistics_path = "/nowhere",
    };
    status.ports = ports_;
    for (const ServiceSpec& service : live_.services) {
        for (const BackendSpec& backend : service.backends) {
            status.backends.push_back({
                .service_name = service.name,
                .service = service.key,
                .name = backend.name,
                .key = backend.key,
                .weight = backend.weight,
                .admin = backend.admin,
                .health = backend.health,
                .next_hop = NextHopState::unresolved,
                .next_hop_reason = "no route",
            });
        }
    }
    return status;
}

} // namespace penstock
