// SPDX-License-Identifier: Apache-2.0
// Views of what happened: replies to changes, diagnostics, events.
#include "controlplane/api/views.hpp"
#include "controlplane/state/actor_json.hpp"

#include <boost/json/array.hpp>

namespace penstock {

namespace json = boost::json;

namespace {

json::value text_or_null(const std::optional<std::string>& text) {
    return text ? json::value(*text) : json::value(nullptr);
}

} // namespace

json::object make_change_view(const ChangeReply& reply) {
    json::array notes;
    for (const std::string& note : reply.notes) {
        notes.push_back(json::value(note));
    }
    return {
        {"result", reply.live ? "live" : "pending"},
        {"generation", reply.generation},
        {"live_generation",
         reply.live_generation ? json::value(*reply.live_generation) : json::value(nullptr)},
        {"changed", reply.changed},
        {"detail", reply.detail},
        {"notes", std::move(notes)},
    };
}

json::array make_diagnostics_view(const config::Diagnostics& diagnostics) {
    json::array list;
    for (const config::Diagnostic& diagnostic : diagnostics) {
        list.push_back(json::object{
            {"file", diagnostic.place.file},
            {"line", diagnostic.place.line},
            {"column", diagnostic.place.column},
            {"cause", diagnostic.cause},
            {"remedy", diagnostic.remedy},
            {"source", diagnostic.line},
            {"text", config::render(diagnostic)},
        });
    }
    return list;
}

json::object make_event_view(const Event& event) {
    return {
        {"sequence", event.sequence},
        {"time", format_rfc3339(event.time)},
        {"severity", to_string(event.severity)},
        {"type", to_string(event.type)},
        {"service", text_or_null(event.service)},
        {"backend", text_or_null(event.backend)},
        {"from", text_or_null(event.from)},
        {"to", text_or_null(event.to)},
        {"reason", event.reason},
        {"actor", event.actor ? json::value(make_actor_object(*event.actor)) : json::value(nullptr)
        },
    };
}

json::object make_events_view(const EventLog& events, std::uint64_t after, std::size_t limit) {
    json::array list;
    std::uint64_t newest = events.newest();
    for (const Event& event : events.read(after, limit)) {
        newest = event.sequence;
        list.push_back(make_event_view(event));
    }
    const std::uint64_t oldest = events.oldest();
    return {
        {"instance", events.name()},
        {"oldest", oldest},
        {"newest", newest},
        {"lost", oldest > after + 1 ? oldest - after - 1 : 0},
        {"events", std::move(list)},
    };
}

} // namespace penstock
