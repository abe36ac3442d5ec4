// SPDX-License-Identifier: Apache-2.0
#include "controlplane/dataplane_link/dataplane_link.hpp"

#include "dataplane/api/codec.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <random>
#include <span>
#include <utility>

namespace penstock {

namespace asio = boost::asio;

namespace {

using std::chrono::milliseconds;

constexpr milliseconds first_backoff{100};
constexpr milliseconds longest_backoff{1000};
constexpr milliseconds tick_interval{250};
constexpr milliseconds status_interval{1000};
constexpr milliseconds hello_timeout{2000};
// A state of thousands of services compiles for seconds; a dataplane that says nothing for this
// long is stuck, and a new connection shows it.
constexpr milliseconds answer_timeout{30000};
constexpr std::size_t read_bytes = 64U << 10U;

std::uint64_t make_instance_id() {
    std::random_device random;
    return (std::uint64_t{random()} << 32U | random()) | 1U;
}

} // namespace

DataplaneLink::DataplaneLink(
    asio::io_context& loop, std::string socket_path, DataplaneLinkListener& listener
)
    : loop_(loop),
      socket_path_(std::move(socket_path)),
      listener_(listener),
      socket_(loop),
      retry_(loop),
      tick_(loop),
      instance_id_(make_instance_id()),
      read_buffer_(read_bytes) {}

DataplaneLink::~DataplaneLink() = default;

void DataplaneLink::start() {
    connect();
    tick();
}

void DataplaneLink::apply(const DesiredState& state, OnAnswer on_answer) {
    const std::uint64_t id = next_id_++;
    outstanding_.emplace(id, Outstanding{std::move(on_answer), Clock::now() + answer_timeout});
    send(Request{.id = id, .body = ApplyDesiredState{.state = state}});
}

void DataplaneLink::update_health(std::vector<HealthChange> changes, OnAnswer on_answer) {
    const std::uint64_t id = next_id_++;
    outstanding_.emplace(id, Outstanding{std::move(on_answer), Clock::now() + answer_timeout});
    send(Request{
        .id = id,
        .body = UpdateHealth{.sequence = next_sequence_++, .changes = std::move(changes)},
    });
}

void DataplaneLink::explain(ExplainPackets packets, OnExplained on_explained) {
    const std::uint64_t id = next_id_++;
    outstanding_.emplace(
        id, Outstanding{nullptr, Clock::now() + answer_timeout, std::move(on_explained)}
    );
    send(Request{.id = id, .body = std::move(packets)});
}

void DataplaneLink::look_again() {
    if (ready_ && !status_outstanding_) {
        request_status();
    }
}

void DataplaneLink::connect() {
    ++epoch_;
    ready_ = false;
    has_hello_ = false;
    status_outstanding_ = false;
    decoder_ = FrameDecoder();
    writing_.clear();
    outstanding_.clear();
    next_id_ = 1;
    next_sequence_ = 1;
    // The longest path of a Unix socket is 107 bytes: an endpoint that cannot be made throws.
    asio::local::stream_protocol::endpoint endpoint;
    try {
        endpoint = asio::local::stream_protocol::endpoint(socket_path_);
    } catch (const boost::system::system_error& error) {
        fail(LinkFailure::away, fmt::format("{}: {}", socket_path_, error.code().message()));
        return;
    }
    hello_deadline_ = Clock::now() + hello_timeout;
    socket_.async_connect(endpoint, [this, epoch = epoch_](const boost::system::error_code& error) {
        if (epoch != epoch_) {
            return;
        }
        if (error) {
            fail(
                LinkFailure::away, fmt::format("connect to {}: {}", socket_path_, error.message())
            );
            return;
        }
        begin_session();
    });
}

void DataplaneLink::begin_session() {
    send(Hello{.instance_id = instance_id_, .program = "penstock-cp " PENSTOCK_VERSION});
    read_more();
}

void DataplaneLink::read_more() {
    socket_.async_read_some(
        asio::buffer(read_buffer_),
        [this, epoch = epoch_](const boost::system::error_code& error, std::size_t bytes) {
            if (epoch != epoch_) {
                return;
            }
            if (error) {
                fail(
                    LinkFailure::away,
                    error == asio::error::eof
                        ? std::string("penstock-dp closed the connection")
                        : fmt::format("connection to penstock-dp: {}", error.message())
                );
                return;
            }
            decoder_.append(std::span(read_buffer_).first(bytes));
            take_messages();
            if (epoch == epoch_) {
                read_more();
            }
        }
    );
}

void DataplaneLink::take_messages() {
    const std::uint64_t epoch = epoch_;
    while (epoch == epoch_) {
        const auto frame = decoder_.next();
        if (!frame) {
            fail(LinkFailure::refused, "message from penstock-dp: " + to_string(frame.error()));
            return;
        }
        if (!*frame) {
            return;
        }
        const auto message = decode_server_message(**frame);
        if (!message) {
            fail(LinkFailure::refused, "message from penstock-dp: " + to_string(message.error()));
            return;
        }
        take(*message);
    }
}

void DataplaneLink::take(const ServerMessage& message) {
    if (const auto* hello = std::get_if<Hello>(&message)) {
        if (has_hello_) {
            fail(LinkFailure::refused, "penstock-dp said hello twice");
            return;
        }
        if (const auto accepted = check_hello(*hello); !accepted) {
            fail(LinkFailure::refused, to_string(accepted.error()));
            return;
        }
        hello_ = *hello;
        has_hello_ = true;
        request_status();
        return;
    }
    const Reply& reply = std::get<Reply>(message);
    if (reply.id == 0) {
        const auto* refused = std::get_if<Refused>(&reply.body);
        fail(
            LinkFailure::refused,
            refused != nullptr ? "penstock-dp refuses: " + to_string(refused->refusal)
                               : std::string("penstock-dp sent a reply to nothing")
        );
        return;
    }
    take_reply(reply);
}

void DataplaneLink::take_reply(const Reply& reply) {
    const auto found = outstanding_.find(reply.id);
    if (found == outstanding_.end()) {
        fail(LinkFailure::refused, "penstock-dp answered what was not asked");
        return;
    }
    Outstanding asked = std::move(found->second);
    outstanding_.erase(found);
    if (asked.on_explained) {
        take_explained(std::move(asked.on_explained), reply);
        return;
    }
    if (!asked.on_answer) {
        status_outstanding_ = false;
        const auto* status = std::get_if<Status>(&reply.body);
        if (status == nullptr) {
            fail(LinkFailure::refused, "penstock-dp answered a status request with something else");
        } else if (std::exchange(ready_, true)) {
            listener_.status_received(*status);
        } else {
            backoff_ = milliseconds(0);
            listener_.link_ready(hello_, *status);
        }
        return;
    }
    if (const auto* applied = std::get_if<Applied>(&reply.body)) {
        asked.on_answer(*applied);
    } else if (const auto* refused = std::get_if<Refused>(&reply.body)) {
        asked.on_answer(*refused);
    } else {
        fail(LinkFailure::refused, "penstock-dp answered a change with something else");
    }
}

void DataplaneLink::take_explained(OnExplained on_explained, const Reply& reply) {
    if (const auto* explained = std::get_if<Explained>(&reply.body)) {
        on_explained(*explained);
    } else if (const auto* refused = std::get_if<Refused>(&reply.body)) {
        on_explained(std::unexpected(refused->refusal));
    } else {
        const std::string reason = "penstock-dp answered an explain request with something else";
        on_explained(std::unexpected(Refusal{"penstock-dp", reason, "report it"}));
        fail(LinkFailure::refused, reason);
    }
}

// Changes are told by the listener's link_failed(); who asked for an explanation hears it here.
void DataplaneLink::forget_outstanding(const std::string& reason) {
    auto forgotten = std::exchange(outstanding_, {});
    for (auto& [id, asked] : forgotten) {
        if (asked.on_explained) {
            asked.on_explained(std::unexpected(Refusal{"penstock-dp", reason, "try again"}));
        }
    }
}

void DataplaneLink::send(const ClientMessage& message) {
    auto frame = encode_frame(message);
    if (frame) {
        writing_.push_back(std::move(*frame));
        if (writing_.size() == 1) {
            write_next();
        }
        return;
    }
    // Only a whole state can be too large: its asker hears it as the dataplane's own no would
    // sound.
    const auto* request = std::get_if<Request>(&message);
    if (request == nullptr) {
        fail(LinkFailure::refused, to_string(frame.error()));
        return;
    }
    asio::post(loop_, [this, epoch = epoch_, id = request->id, refusal = frame.error()] {
        if (epoch == epoch_) {
            take_reply({.id = id, .body = Refused{.refusal = refusal}});
        }
    });
}

void DataplaneLink::write_next() {
    asio::async_write(
        socket_,
        asio::buffer(writing_.front()),
        [this, epoch = epoch_](const boost::system::error_code& error, std::size_t) {
            if (epoch != epoch_) {
                return;
            }
            if (error) {
                // A reply that says why may still be there to read; the reader sees the end.
                return;
            }
            writing_.pop_front();
            if (!writing_.empty()) {
                write_next();
            }
        }
    );
}

void DataplaneLink::request_status() {
    status_outstanding_ = true;
    next_status_ = Clock::now() + status_interval;
    const std::uint64_t id = next_id_++;
    outstanding_.emplace(id, Outstanding{nullptr, Clock::now() + answer_timeout});
    send(Request{.id = id, .body = GetStatus{}});
}

void DataplaneLink::tick() {
    const auto now = Clock::now();
    if (socket_.is_open()) {
        const bool late = std::ranges::any_of(outstanding_, [now](const auto& item) {
            return item.second.deadline < now;
        });
        if (late || (!ready_ && hello_deadline_ < now)) {
            fail(LinkFailure::away, "penstock-dp is connected but does not answer");
        } else if (ready_ && !status_outstanding_ && next_status_ <= now) {
            request_status();
        }
    }
    tick_.expires_after(tick_interval);
    tick_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            tick();
        }
    });
}

void DataplaneLink::fail(LinkFailure failure, const std::string& reason) {
    ++epoch_;
    ready_ = false;
    boost::system::error_code ignored; // it is gone either way
    socket_.close(ignored);
    // The buffers of an aborted write are only touched by the kernel's copy: nothing is in flight
    // now.
    forget_outstanding(reason);
    backoff_ = failure == LinkFailure::refused
                   ? longest_backoff
                   : std::clamp(backoff_ * 2, first_backoff, longest_backoff);
    retry_.expires_after(backoff_);
    retry_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            connect();
        }
    });
    listener_.link_failed(failure, reason);
}

} // namespace penstock
