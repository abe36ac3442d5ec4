// SPDX-License-Identifier: Apache-2.0
// The API: a request in, a response now or later. docs/reference/api.md is its contract, route.hpp
// its table.
//
// Thread rule: the loop's thread. Must be destroyed before the loop. Plans of changes are made on a
// thread of its own, from values alone.
#pragma once

#include "controlplane/api/audit_log.hpp"
#include "controlplane/api/http.hpp"
#include "controlplane/api/route.hpp"
#include "controlplane/api/views.hpp"
#include "controlplane/events/event_log.hpp"
#include "controlplane/state/reconciler.hpp"
#include "dataplane/api/refusal.hpp"
#include "dataplane/api/statistics.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <list>
#include <memory>
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
        std::string statistics_path,
        AuditLog audit);
    Api(const Api&) = delete;
    Api& operator=(const Api&) = delete;

    /// What the status says of the network; without it that there is none.
    void set_network(std::function<NetworkView()> view) { network_ = std::move(view); }

    /// For who was refused before any route was known.
    void audit(const AuditEntry& entry) { audit_.record(entry); }

    /// `respond` is called once, perhaps from within this call. Refuses what no route takes, and who
    /// has not the role for it.
    void handle(HttpRequest request, Respond respond);

    // The functions of the routes, each called by handle() alone. api.cpp
    void get_openapi(Call call, Respond respond);
    void get_status(Call call, Respond respond);
    void get_statistics(Call call, Respond respond);
    void get_drops(Call call, Respond respond);
    // api_backend.cpp
    void get_services(Call call, Respond respond);
    void get_service(Call call, Respond respond);
    void get_backends(Call call, Respond respond);
    void post_drain(Call call, Respond respond);
    void post_enable(Call call, Respond respond);
    void post_disable(Call call, Respond respond);
    void put_weight(Call call, Respond respond);
    // api_override.cpp
    void get_overrides(Call call, Respond respond);
    void get_adopted_configuration(Call call, Respond respond);
    void delete_overrides(Call call, Respond respond);
    void delete_override(Call call, Respond respond);
    // api_history.cpp
    void get_history(Call call, Respond respond);
    void get_history_text(Call call, Respond respond);
    void post_rollback(Call call, Respond respond);
    void post_rollback_to(Call call, Respond respond);
    void post_confirm(Call call, Respond respond);
    // api_configuration.cpp
    void get_configuration(Call call, Respond respond);
    void post_configuration(Call call, Respond respond);
    void post_diff(Call call, Respond respond);
    // api_explain.cpp
    void post_explain(Call call, Respond respond);
    // api_event.cpp
    void get_events(Call call, Respond respond);
    void get_event_stream(Call call, Respond respond);

private:
    /// Somebody who waits for an event.
    struct EventWaiter {
        std::uint64_t after = 0;
        std::chrono::steady_clock::time_point deadline;
        std::move_only_function<void()> wake; ///< called once, by an event or by the deadline
    };

    struct EventStream;

    /// Who made a change, and how it ended, into the audit log.
    [[nodiscard]] Respond audited(const Call& call, Respond respond);
    [[nodiscard]] std::string etag() const;
    void wait_for_chunk(const std::shared_ptr<EventStream>& stream, TakeChunk take);
    void set_admin(Call call, AdminState admin, Respond respond);
    /// Answers those whose events have come or whose time is up.
    void serve_event_waiters();
    void schedule_event_waiters();
    [[nodiscard]] std::expected<Statistics, Refusal> read_statistics();

    boost::asio::io_context& loop_;
    Reconciler& reconciler_;
    EventLog& events_;
    Instance instance_;
    std::string statistics_path_;
    AuditLog audit_;
    std::function<NetworkView()> network_;
    std::optional<StatisticsReader> statistics_;
    boost::asio::steady_timer event_timer_;
    std::list<EventWaiter> event_waiters_;
    std::shared_ptr<int> streams_ = std::make_shared<int>(0); ///< event streams that are open
    std::shared_ptr<int> plans_ = std::make_shared<int>(0); ///< under way; the loop's thread counts
    boost::asio::thread_pool planner_{1};                   ///< joined first
};

/// The number in a query parameter, `fallback` without it, nothing if it is none or above `limit`.
[[nodiscard]] std::optional<std::uint64_t> find_number(
    const Target& target, const std::string& name, std::uint64_t fallback, std::uint64_t limit
);

/// "?force" and "?force=true".
[[nodiscard]] bool is_flag_set(const Target& target, const std::string& name);

/// The text of a query parameter, or `fallback`.
[[nodiscard]] std::string
find_text(const Target& target, const std::string& name, std::string fallback);

} // namespace penstock
