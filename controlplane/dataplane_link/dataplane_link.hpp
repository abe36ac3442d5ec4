// SPDX-License-Identifier: Apache-2.0
// The connection to penstock-dp: kept up for ever, hello first, then requests and replies by id.
//
//   connecting ── connect, hello, status ──► ready ── lost, silent or refused ──► connecting …
//
// Tried again after 100 ms, 200 ms, … 1 s. Nothing is queued here: what is to be said when the
// connection is back is the listener's to know (state/reconciler.hpp).
//
// Thread rule: the loop's thread. Must be destroyed before the loop.
#pragma once

#include "dataplane/api/framing.hpp"
#include "dataplane/api/messages.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace penstock {

enum class LinkFailure : std::uint8_t {
    away,    ///< not there, or gone
    refused, ///< there, but it or we do not take the other's hello or message
};

class DataplaneLinkListener {
public:
    DataplaneLinkListener() = default;
    DataplaneLinkListener(const DataplaneLinkListener&) = delete;
    DataplaneLinkListener& operator=(const DataplaneLinkListener&) = delete;

    /// Hellos are exchanged, and this is how the dataplane stands. request() works from here on.
    virtual void link_ready(const Hello& hello, const Status& status) = 0;

    /// Once for every failed attempt and every lost connection; outstanding requests get no answer.
    virtual void link_failed(LinkFailure failure, const std::string& reason) = 0;

    /// The regular look at the dataplane, about once a second while ready.
    virtual void status_received(const Status& status) = 0;

protected:
    ~DataplaneLinkListener() = default;
};

class DataplaneLink {
public:
    using Answer = std::variant<Applied, Refused>;
    using OnAnswer = std::move_only_function<void(const Answer&)>;

    using OnExplained = std::move_only_function<void(const std::expected<Explained, Refusal>&)>;

    DataplaneLink(
        boost::asio::io_context& loop, std::string socket_path, DataplaneLinkListener& listener
    );
    DataplaneLink(const DataplaneLink&) = delete;
    DataplaneLink& operator=(const DataplaneLink&) = delete;
    ~DataplaneLink();

    void start();

    [[nodiscard]] bool is_ready() const { return ready_; }

    /// `on_answer` is called unless the connection ends before. REQUIRES: is_ready(). A state too
    /// large for the protocol is answered as a Refused of our own.
    void apply(const DesiredState& state, OnAnswer on_answer);
    void update_health(std::vector<HealthChange> changes, OnAnswer on_answer);

    /// `on_explained` is called in any case, with a Refusal if the connection ends before.
    /// REQUIRES: is_ready().
    void explain(ExplainPackets packets, OnExplained on_explained);

    /// Asks for the status now instead of within a second. Does nothing unless ready.
    void look_again();

private:
    using Clock = std::chrono::steady_clock;

    struct Outstanding {
        OnAnswer on_answer; ///< empty for a GetStatus and an ExplainPackets
        Clock::time_point deadline;
        OnExplained on_explained{}; ///< of an ExplainPackets
    };

    void connect();
    void begin_session();
    void read_more();
    void take_messages();
    void take(const ServerMessage& message);
    void take_reply(const Reply& reply);
    void send(const ClientMessage& message);
    void write_next();
    void request_status();
    void take_explained(OnExplained on_explained, const Reply& reply);
    void forget_outstanding(const std::string& reason);
    void tick();
    void fail(LinkFailure failure, const std::string& reason);

    boost::asio::io_context& loop_;
    std::string socket_path_;
    DataplaneLinkListener& listener_;
    boost::asio::local::stream_protocol::socket socket_;
    boost::asio::steady_timer retry_;
    boost::asio::steady_timer tick_;
    std::uint64_t instance_id_;
    std::chrono::milliseconds backoff_{0};

    // Of the current connection; `epoch_` tells handlers of an earlier one that they are late.
    std::uint64_t epoch_ = 0;
    bool ready_ = false;
    bool has_hello_ = false;
    Hello hello_;
    FrameDecoder decoder_;
    std::vector<std::uint8_t> read_buffer_;
    std::deque<std::vector<std::uint8_t>> writing_; ///< the front one is being written
    std::uint64_t next_id_ = 1;
    std::uint64_t next_sequence_ = 1;
    std::map<std::uint64_t, Outstanding> outstanding_;
    bool status_outstanding_ = false;
    Clock::time_point hello_deadline_;
    Clock::time_point next_status_;
};

} // namespace penstock
