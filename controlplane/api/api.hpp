// SPDX-License-Identifier: Apache-2.0
// The API: a request in, a response now or later. docs/reference/api.md is its contract.
//
// Thread rule: the loop's thread. Must be destroyed before the loop.
#pragma once

#include "controlplane/api/http.hpp"
#include "controlplane/api/views.hpp"
#include "controlplane/events/event_log.hpp"
#include "controlplane/state/reconciler.hpp"
#include "dataplane/api/refusal.hpp"
#include "dataplane/api/statistics.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <list>
#include <optional>
#include <string>

namespace penstock {

class Api {
public:
    /// References must outlive it. Observes `events`.
    Api(boost::asio::io_context& loop,
        Reconciler& reconciler,
        EventLog& events,
        Instance instance,
        std::string statistics_path);
    Api(const Api&) = delete;
    Api& operator=(const Api&) = delete;

    /// `respond` is called once, perhaps from within this call.
    void handle(HttpRequest request, Respond respond);

private:
    /// A GET /v1/events that waits for one.
    struct EventWaiter {
        std::uint64_t after = 0;
        std::size_t limit = 0;
        std::chrono::steady_clock::time_point deadline;
        Respond respond;
    };

    void handle_get(const Target& target, Respond respond);
    void handle_post(const Target& target, HttpRequest request, Respond respond);
    void get_events(const Target& target, Respond respond);
    void get_configuration(Respond respond);
    void post_configuration(const Target& target, HttpRequest request, Respond respond);
    void post_admin(const Target& target, AdminState admin, Respond respond);
    /// Answers those whose events have come or whose time is up.
    void serve_event_waiters();
    void schedule_event_waiters();
    [[nodiscard]] std::expected<Statistics, Refusal> read_statistics();

    Reconciler& reconciler_;
    EventLog& events_;
    Instance instance_;
    std::string statistics_path_;
    std::optional<StatisticsReader> statistics_;
    boost::asio::steady_timer event_timer_;
    std::list<EventWaiter> event_waiters_;
};

} // namespace penstock
