// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/route.hpp"

#include "controlplane/api/api.hpp"

#include <array>

namespace penstock {

namespace {

constexpr std::array<QueryParameter, 1> backend_parameters{{
    {"service", ParameterKind::text, "Only the backends of this service."},
}};
constexpr std::array<QueryParameter, 4> event_parameters{{
    {"after", ParameterKind::number, "Only events with a higher sequence number."},
    {"instance", ParameterKind::text, "The instance that `after` belongs to."},
    {"limit", ParameterKind::number, "At most so many, the oldest first; 1 to 1000."},
    {"wait", ParameterKind::number, "If there is none yet, wait up to so many seconds, 0 to 30."},
}};
constexpr std::array<QueryParameter, 1> name_parameters{{
    {"name", ParameterKind::text, "Name of the file, for diagnostics."},
}};

constexpr std::array<Route, 13> table{{
    {.method = "GET",
     .path = "/v1/status",
     .operation = "getStatus",
     .role = Role::view,
     .summary = "Whether all is well, and what is not",
     .answer = &Api::get_status},
    {.method = "GET",
     .path = "/v1/services",
     .operation = "listServices",
     .role = Role::view,
     .summary = "Every service",
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
     .path = "/v1/services/{service}/backends/{backend}/disable",
     .operation = "disableBackend",
     .role = Role::operate,
     .summary = "Take everything from a backend at once",
     .gives_schema = "Change",
     .is_change = true,
     .answer = &Api::post_disable},
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
     .parameters = name_parameters,
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
}};

} // namespace

std::span<const Route> routes() {
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
