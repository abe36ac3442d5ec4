// SPDX-License-Identifier: Apache-2.0
// The documents of docs/reference/api.md from the state behind them.
//
// Thread rule: pure functions over values that the loop's thread owns.
#pragma once

#include "controlplane/events/event_log.hpp"
#include "controlplane/state/change_plan.hpp"
#include "controlplane/state/reconciler.hpp"
#include "dataplane/api/messages.hpp"
#include "dataplane/api/statistics.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

/// What this run of penstock-cp is.
struct Instance {
    std::string id; ///< 16 hexadecimal digits
    WallTime started;
    std::chrono::steady_clock::time_point started_steady;
};

/// The API over the network, as it stands.
struct NetworkView {
    bool is_wanted = false;    ///< there is an [api]
    bool is_listening = false; ///< perhaps with the files as they were before
    std::string listen;        ///< "192.0.2.1:9443"
    std::string problem;       ///< empty: none
    std::optional<WallTime> certificate_expires;
    std::size_t connections = 0;
    std::uint64_t refused_logins = 0; ///< since the start
};

/// Counters by key, to be laid beside the configuration; without statistics every member is null.
class CounterIndex {
public:
    /// `statistics` may be null and must outlive the index.
    explicit CounterIndex(const Statistics* statistics);

    [[nodiscard]] const ServiceSample* find(const ServiceKey& key) const;
    [[nodiscard]] const BackendSample* find(const BackendRef& ref) const;
    /// Σ of the flows of a service's backends.
    [[nodiscard]] std::uint64_t flows_of(const ServiceKey& key) const;

    [[nodiscard]] bool has_statistics() const { return has_statistics_; }

private:
    bool has_statistics_;
    std::map<ServiceKey, const ServiceSample*> services_;
    std::map<BackendRef, const BackendSample*> backends_;
    std::map<ServiceKey, std::uint64_t> flows_;
};

[[nodiscard]] boost::json::object make_status_view(
    const Reconciler& reconciler,
    const Statistics* statistics,
    const Instance& instance,
    const NetworkView& network
);

[[nodiscard]] boost::json::object
make_services_view(const Reconciler& reconciler, const Statistics* statistics);

/// Null if there is no such service.
[[nodiscard]] boost::json::value make_service_view(
    const Reconciler& reconciler, const Statistics* statistics, std::string_view name
);

/// Of all services, or of the named one. Null if there is no such service.
[[nodiscard]] boost::json::value make_backends_view(
    const Reconciler& reconciler,
    const Statistics* statistics,
    std::optional<std::string_view> service
);

/// "80", "8000-8099" or "any".
[[nodiscard]] std::string format_ports(const ServiceKey& key);

/// `policy` of a service.
[[nodiscard]] boost::json::object make_policy_view(const ServiceSpec& service);
/// Every key of every type; null for what the probe's type does not have.
[[nodiscard]] boost::json::object
make_probe_view(const config::ProbeConfig& probe, const ServiceKey& key);

[[nodiscard]] boost::json::object make_stats_view(const Statistics& statistics);
[[nodiscard]] boost::json::object make_drops_view(const Statistics& statistics);

/// `after` is a sequence number of this log.
[[nodiscard]] boost::json::object
make_events_view(const EventLog& events, std::uint64_t after, std::size_t limit);

[[nodiscard]] boost::json::object make_explain_view(const Explained& explained);

[[nodiscard]] boost::json::object make_plan_view(const ChangePlan& plan);
[[nodiscard]] boost::json::object make_event_view(const Event& event);
[[nodiscard]] boost::json::object make_overrides_view(const Reconciler& reconciler);
/// Newest first: at most `limit` entries with a number below `before`.
[[nodiscard]] boost::json::object
make_history_view(const Reconciler& reconciler, std::uint64_t before, std::size_t limit);
/// Null if nothing is on trial.
[[nodiscard]] boost::json::value make_confirmation_view(const Reconciler& reconciler);
[[nodiscard]] boost::json::object make_change_view(const ChangeReply& reply);
[[nodiscard]] boost::json::array make_diagnostics_view(const config::Diagnostics& diagnostics);

/// null for no text.
[[nodiscard]] inline boost::json::value text_or_null(const std::string& text) {
    return text.empty() ? boost::json::value(nullptr) : boost::json::value(text);
}

} // namespace penstock
