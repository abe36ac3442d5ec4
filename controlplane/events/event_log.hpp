// SPDX-License-Identifier: Apache-2.0
// What happened, in order: a bounded ring for the API, and a log line each.
//
// Thread rule: the loop's thread. Sequence numbers begin at 1, have no holes and go on over restarts with what
// is restored (event_file.hpp); the ring keeps the newest `capacity`.
#pragma once

#include "controlplane/actor.hpp"
#include "controlplane/wall_time.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

enum class EventType : std::uint8_t {
    started,
    stopping,
    backend_health,  ///< the probes changed their mind
    health_live,     ///< the dataplane forwards by that change
    backend_report,  ///< its agent says something else than before
    backend_held,    ///< for flapping, or released
    service_panic,   ///< all backends are used, or no longer
    service_minimum, ///< fewer healthy backends than min_healthy, or enough again
    backend_admin,
    service_state,
    config_applied,
    config_pending,
    config_invalid,
    config_refused,
    config_not_saved,
    config_on_trial,  ///< applied, and to be confirmed
    config_confirmed, ///< it stays
    config_rolled_back,
    backend_weight, ///< an override of it
    generation_live,
    dataplane_connected,
    dataplane_lost,
    dataplane_refused,
    state_damaged,
    service_shrink, ///< backends that are down stay in use, or no longer
    api_listener,   ///< the API over the network: listening, off, failed
};

/// For who goes through them all.
inline constexpr EventType last_event_type = EventType::api_listener;

enum class EventSeverity : std::uint8_t { info, warning, critical };

/// "backend-health"; as in docs/reference/api.md.
[[nodiscard]] std::string_view to_string(EventType type);
[[nodiscard]] std::string_view to_string(EventSeverity severity);

struct Event {
    EventType type = EventType::started;
    EventSeverity severity = EventSeverity::info;
    std::optional<std::string> service;
    std::optional<std::string> backend;
    std::optional<std::string> from;
    std::optional<std::string> to;
    std::string reason;
    std::optional<Actor> actor{}; ///< who asked for it
    std::uint64_t sequence = 0;   ///< given by record()
    WallTime time;                ///< given by record()
};

class EventLog {
public:
    explicit EventLog(std::size_t capacity = 4096) : capacity_(capacity) {}

    [[nodiscard]] std::size_t capacity() const { return capacity_; }

    /// What the sequence numbers belong to: another name, and they begin anew.
    [[nodiscard]] const std::string& name() const { return name_; }

    /// What happened before this run, the oldest first: numbered so that the last one has number `last`.
    /// REQUIRES: nothing is recorded yet; `last` is at least their number.
    void restore(std::string name, std::vector<Event> before, std::uint64_t last);

    /// Called by each record() with what is to be kept elsewhere; at most one.
    void set_writer(std::function<void(const Event&)> writer) { writer_ = std::move(writer); }

    /// Keeps and logs it, then tells the observer.
    void record(Event event);

    /// Called after each record(); at most one.
    void set_observer(std::function<void()> observer) { observer_ = std::move(observer); }

    /// At most `limit` events with a sequence above `after`, the oldest first.
    [[nodiscard]] std::vector<Event> read(std::uint64_t after, std::size_t limit) const;

    /// Sequence of the oldest kept and the newest event; 0 while there is none.
    [[nodiscard]] std::uint64_t oldest() const {
        return ring_.empty() ? 0 : ring_.front().sequence;
    }

    [[nodiscard]] std::uint64_t newest() const { return newest_; }

private:
    std::size_t capacity_;
    std::string name_;
    std::deque<Event> ring_;
    std::uint64_t newest_ = 0;
    std::function<void(const Event&)> writer_;
    std::function<void()> observer_;
};

} // namespace penstock
