// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/route.hpp"

#include "controlplane/api/api.hpp"

#include <array>

namespace penstock {

namespace {

constexpr QueryParameter offset_parameter{
    "offset", ParameterKind::number, "Begin with this one, from 0: `next` of the reply before."
};
constexpr QueryParameter limit_parameter{
    "limit", ParameterKind::number, "At most so many; all without it."
};
constexpr std::array<QueryParameter, 2> page_parameters{{offset_parameter, limit_parameter}};
constexpr std::array<QueryParameter, 3> backend_parameters{{
    {"service", ParameterKind::text, "Only the backends of this service."},
    offset_parameter,
    limit_parameter,
}};
constexpr std::array<QueryParameter, 4> event_parameters{{
    {"after", ParameterKind::number, "Only events with a higher sequence number."},
    {"instance", ParameterKind::text, "The instance that `after` belongs to."},
    {"limit", ParameterKind::number, "At most so many, the oldest first; 1 to 1000."},
    {"wait", ParameterKind::number, "If there is none yet, wait up to so many seconds, 0 to 30."},
}};
constexpr std::array<QueryParameter, 2> stream_parameters{{
    {"after",
     ParameterKind::number,
     "Begin after this sequence number; without it with the oldest that is kept."},
    {"instance", ParameterKind::text, "The instance that `after` belongs to."},
}};
constexpr std::array<QueryParameter, 1> name_parameters{{
    {"name", ParameterKind::text, "Name of the file, for diagnostics."},
}};
constexpr std::array<QueryParameter, 2> apply_parameters{{
    {"name", ParameterKind::text, "Name of the file, for diagnostics and the history."},
    {"confirm",
     ParameterKind::number,
     "Seconds within which it must be confirmed, or the configuration before comes back; at most "
     "86400."},
}};
constexpr std::array<QueryParameter, 1> force_parameters{{
    {"force", ParameterKind::flag, "Also if no backend is left that takes new flows."},
}};
constexpr std::array<QueryParameter, 2> history_parameters{{
    {"before",
     ParameterKind::number,
     "Only entries with a lower number: `next` of the reply before."},
    {"limit", ParameterKind::number, "At most so many, the newest first; 1 to 100."},
}};

// By noun, as in docs/reference/api.md.

constexpr std::array<Route, 7> look_routes{{
    {.method = "GET",
     .path = "/v1/openapi.json",
     .operation = "getOpenApi",
     .role = Role::view,
     .summary = "This document",
     .answer = &Api::get_openapi},
    {.method = "GET",
     .path = "/v1/status",
     .operation = "getStatus",
     .role = Role::view,
     .summary = "Whether all is well, and what is not",
     .answer = &Api::get_status},
    {.method = "GET",
     .path = "/v1/stats",
     .operation = "getStatistics",
     .role = Role::view,
     .summary = "Counters of the dataplane",
     .answer = &Api::get_statistics},
    {.method = "GET",
     .path = "/v1/drops",
     .operation = "getDrops",
     .role = Role::view,
     .summary = "Dropped packets by reason",
     .answer = &Api::get_drops},
    {.method = "GET",
     .path = "/v1/events",
     .operation = "getEvents",
     .role = Role::view,
     .summary = "What happened",
     .parameters = event_parameters,
     .answer = &Api::get_events},
    {.method = "GET",
     .path = "/v1/events/stream",
     .operation = "streamEvents",
     .role = Role::view,
     .summary = "What happens, as server-sent events",
     .parameters = stream_parameters,
     .gives = "text/event-stream",
     .answer = &Api::get_event_stream},
    {.method = "POST",
     .path = "/v1/explain",
     .operation = "explainPackets",
     .role = Role::view,
     .summary = "What would become of packets now, and why; nothing changes",
     .takes = "application/json",
     .answer = &Api::post_explain},
}};
constexpr std::array<Route, 9> backend_routes{{
    {.method = "GET",
     .path = "/v1/services",
     .operation = "listServices",
     .role = Role::view,
     .summary = "Every service",
     .parameters = page_parameters,
     .answer = &Api::get_services},
    {.method = "GET",
     .path = "/v1/services/{service}",
     .operation = "getService",
     .role = Role::view,
     .summary = "One service with its backends",
     .answer = &Api::get_service},
    {.method = "GET",
     .path = "/v1/backends",
     .operation = "listBackends",
     .role = Role::view,
     .summary = "Backends of all services, or of one",
     .parameters = backend_parameters,
     .answer = &Api::get_backends},
    {.method = "POST",
     .path = "/v1/services/{service}/backends/{backend}/drain",
     .operation = "drainBackend",
     .role = Role::operate,
     .summary = "Keep the flows of a backend, give it no new ones",
     .parameters = force_parameters,
     .gives_schema = "Change",
     .is_change = true,
     .answer = &Api::post_drain},
    {.method = "POST",
     .path = "/v1/services/{service}/backends/{backend}/enable",
     .operation = "enableBackend",
     .role = Role::operate,
     .summary = "End a drain or maintenance",
     .gives_schema = "Change",
     .is_change = true,
     .answer = &Api::post_enable},
    {.method = "POST",
     .path = "/v1/services/{service}/backends/{backend}/maint",
     .operation = "maintainBackend",
     .role = Role::operate,
     .summary = "Take everything from a backend at once: maintenance, the admin state disabled",
     .parameters = force_parameters,
     .gives_schema = "Change",
     .is_change = true,
     .answer = &Api::post_disable},
    {.method = "POST",
     .path = "/v1/services/{service}/backends/{backend}/disable",
     .operation = "disableBackend",
     .role = Role::operate,
     .summary = "The same as maint",
     .parameters = force_parameters,
     .gives_schema = "Change",
     .is_change = true,
     .answer = &Api::post_disable},
    {.method = "PUT",
     .path = "/v1/services/{service}/backends/{backend}/weight",
     .operation = "weighBackend",
     .role = Role::operate,
     .summary = "Give a backend another share of new flows",
     .parameters = force_parameters,
     .takes = "application/json",
     .takes_schema = "Weight",
     .gives_schema = "Change",
     .is_change = true,
     .answer = &Api::put_weight},
    {.method = "DELETE",
     .path = "/v1/services/{service}/backends/{backend}/override",
     .operation = "clearOverride",
     .role = Role::operate,
     .summary = "Take the override of a backend away",
     .gives_schema = "Change",
     .is_change = true,
     .answer = &Api::delete_override},
}};
constexpr std::array<Route, 3> override_routes{{
    {.method = "GET",
     .path = "/v1/overrides",
     .operation = "listOverrides",
     .role = Role::view,
     .summary = "Every override",
     .gives_schema = "Overrides",
     .answer = &Api::get_overrides},
    {.method = "DELETE",
     .path = "/v1/overrides",
     .operation = "clearOverrides",
     .role = Role::operate,
     .summary = "Take every override away",
     .gives_schema = "Change",
     .is_change = true,
     .answer = &Api::delete_overrides},
    {.method = "GET",
     .path = "/v1/overrides/configuration",
     .operation = "adoptOverrides",
     .role = Role::view,
     .summary = "The configuration with the overrides written in",
     .gives = "application/toml",
     .answer = &Api::get_adopted_configuration},
}};
constexpr std::array<Route, 8> configuration_routes{{
    {.method = "GET",
     .path = "/v1/config",
     .operation = "getConfiguration",
     .role = Role::view,
     .summary = "The applied configuration, byte by byte",
     .gives = "application/toml",
     .answer = &Api::get_configuration},
    {.method = "POST",
     .path = "/v1/config",
     .operation = "applyConfiguration",
     .role = Role::administer,
     .summary = "Make a configuration the one that runs",
     .parameters = apply_parameters,
     .takes = "application/toml",
     .gives_schema = "Change",
     .is_change = true,
     .answer = &Api::post_configuration},
    {.method = "POST",
     .path = "/v1/config/diff",
     .operation = "diffConfiguration",
     .role = Role::view,
     .summary = "What a configuration would change, without applying it",
     .parameters = name_parameters,
     .takes = "application/toml",
     .gives_schema = "Diff",
     .answer = &Api::post_diff},
    {.method = "POST",
     .path = "/v1/config/confirm",
     .operation = "confirmConfiguration",
     .role = Role::administer,
     .summary = "Keep the configuration that is on trial",
     .gives_schema = "Change",
     .is_change = true,
     .answer = &Api::post_confirm},
    {.method = "POST",
     .path = "/v1/config/rollback",
     .operation = "rollBack",
     .role = Role::administer,
     .summary = "End a trial by going back, or go back to the entry before",
     .gives_schema = "Change",
     .is_change = true,
     .answer = &Api::post_rollback},
    {.method = "GET",
     .path = "/v1/history",
     .operation = "listHistory",
     .role = Role::view,
     .summary = "The configurations that were in force",
     .parameters = history_parameters,
     .gives_schema = "History",
     .answer = &Api::get_history},
    {.method = "GET",
     .path = "/v1/history/{number}",
     .operation = "getHistoryText",
     .role = Role::view,
     .summary = "The text of one of them",
     .gives = "application/toml",
     .answer = &Api::get_history_text},
    {.method = "POST",
     .path = "/v1/history/{number}/rollback",
     .operation = "rollBackTo",
     .role = Role::administer,
     .summary = "Make one of them the configuration that runs",
     .gives_schema = "Change",
     .is_change = true,
     .answer = &Api::post_rollback_to},
}};

} // namespace

std::span<const Route> routes() {
    static const std::vector<Route> table = [] {
        std::vector<Route> all;
        const auto append = [&all](std::span<const Route> part) {
            all.insert(all.end(), part.begin(), part.end());
        };
        append(look_routes);
        append(backend_routes);
        append(override_routes);
        append(configuration_routes);
        return all;
    }();
    return table;
}

namespace {

/// Calls take(pattern, segment) for both sides at once; false if their numbers differ or it says so.
template <typename Take>
bool walk(std::string_view pattern, std::span<const std::string> segments, Take take) {
    for (const std::string& segment : segments) {
        if (!pattern.starts_with('/')) {
            return false;
        }
        pattern.remove_prefix(1);
        const std::string_view part = pattern.substr(0, pattern.find('/'));
        pattern.remove_prefix(part.size());
        if (!take(part, segment)) {
            return false;
        }
    }
    return pattern.empty();
}

} // namespace

bool fits(const Route& route, std::span<const std::string> segments) {
    return walk(route.path, segments, [](std::string_view part, const std::string& segment) {
        return part.starts_with('{') ? !segment.empty() : part == segment;
    });
}

std::string allowed_methods(std::span<const std::string> segments) {
    std::string methods;
    for (const Route& route : routes()) {
        if (fits(route, segments)) {
            methods += methods.empty() ? "" : ", ";
            methods += route.method;
        }
    }
    return methods;
}

std::vector<std::string> names_in(const Route& route, std::span<const std::string> segments) {
    std::vector<std::string> names;
    walk(route.path, segments, [&names](std::string_view part, const std::string& segment) {
        if (part.starts_with('{')) {
            names.push_back(segment);
        }
        return true;
    });
    return names;
}

} // namespace penstock
