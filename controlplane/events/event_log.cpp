// SPDX-License-Identifier: Apache-2.0
#include "controlplane/events/event_log.hpp"

#include <algorithm>
#include <array>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock {

namespace {

std::string make_log_line(const Event& event) {
    std::string line(to_string(event.type));
    if (event.service) {
        line += fmt::format(" service={}", *event.service);
    }
    if (event.backend) {
        line += fmt::format(" backend={}", *event.backend);
    }
    if (event.from || event.to) {
        line += fmt::format(" {} -> {}", event.from.value_or("-"), event.to.value_or("-"));
    }
    if (!event.reason.empty()) {
        line += ": " + event.reason;
    }
    if (event.actor) {
        line += fmt::format(" [{}]", to_string(*event.actor));
    }
    return line;
}

spdlog::level::level_enum to_level(EventSeverity severity) {
    switch (severity) {
    case EventSeverity::info:
        return spdlog::level::info;
    case EventSeverity::warning:
        return spdlog::level::warn;
    case EventSeverity::critical:
        return spdlog::level::critical;
    }
    return spdlog::level::critical;
}

} // namespace

std::string_view to_string(EventType type) {
    static constexpr std::array<std::string_view, 26> names{
        "started",         "stopping",          "backend-health",
        "health-live",     "backend-report",    "backend-held",
        "service-panic",   "service-minimum",   "backend-admin",
        "service-state",   "config-applied",    "config-pending",
        "config-invalid",  "config-refused",    "config-not-saved",
        "config-on-trial", "config-confirmed",  "config-rolled-back",
        "backend-weight",  "generation-live",   "dataplane-connected",
        "dataplane-lost",  "dataplane-refused", "state-damaged",
        "service-shrink",  "api-listener",
    };
    static_assert(static_cast<std::size_t>(last_event_type) + 1 == names.size());
    return names.at(static_cast<std::size_t>(type));
}

std::string_view to_string(EventSeverity severity) {
    static constexpr std::array<std::string_view, 3> names{"info", "warning", "critical"};
    return names.at(static_cast<std::size_t>(severity));
}

void EventLog::restore(std::string name, std::vector<Event> before, std::uint64_t last) {
    name_ = std::move(name);
    newest_ = last;
    std::uint64_t sequence = last - before.size();
    for (Event& event : before) {
        event.sequence = ++sequence;
        ring_.push_back(std::move(event));
    }
    while (ring_.size() > capacity_) {
        ring_.pop_front();
    }
}

void EventLog::record(Event event) {
    event.sequence = ++newest_;
    event.time = std::chrono::system_clock::now();
    spdlog::log(to_level(event.severity), make_log_line(event));
    if (writer_) {
        writer_(event);
    }
    ring_.push_back(std::move(event));
    if (ring_.size() > capacity_) {
        ring_.pop_front();
    }
    if (observer_) {
        observer_();
    }
}

std::vector<Event> EventLog::read(std::uint64_t after, std::size_t limit) const {
    std::vector<Event> found;
    if (after >= newest_ || ring_.empty()) {
        return found;
    }
    // No holes: the place of a sequence number is its distance from the oldest.
    const std::uint64_t first = oldest();
    const std::size_t begin = after < first ? 0 : static_cast<std::size_t>(after - first) + 1;
    const std::size_t end = std::min(ring_.size(), begin + limit);
    found.assign(
        ring_.begin() + static_cast<std::ptrdiff_t>(begin),
        ring_.begin() + static_cast<std::ptrdiff_t>(end)
    );
    return found;
}

} // namespace penstock
