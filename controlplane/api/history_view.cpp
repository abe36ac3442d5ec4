// SPDX-License-Identifier: Apache-2.0
// Views of what the operator did: overrides, and the configurations that were in force.
#include "controlplane/api/views.hpp"
#include "controlplane/state/actor_json.hpp"

#include <algorithm>
#include <boost/json/array.hpp>

namespace penstock {

namespace json = boost::json;

namespace {

/// Names of the configuration, or null for what it does not have (a candidate was refused, or the
/// dataplane has not got it yet).
std::pair<json::value, json::value>
find_names(const Reconciler& reconciler, const BackendRef& ref) {
    for (const ServiceSpec& service : reconciler.desired().services) {
        if (service.key != ref.service) {
            continue;
        }
        const auto backend = std::ranges::find(service.backends, ref.backend, &BackendSpec::key);
        if (backend != service.backends.end()) {
            return {json::value(service.name), json::value(backend->name)};
        }
    }
    return {nullptr, nullptr};
}

} // namespace

json::object make_overrides_view(const Reconciler& reconciler) {
    json::array list;
    for (const auto& [ref, said] : reconciler.overrides()) {
        auto [service, backend] = find_names(reconciler, ref);
        list.push_back(json::object{
            {"service", std::move(service)},
            {"backend", std::move(backend)},
            {"vip", to_string(ref.service)},
            {"address", ref.backend.address.to_string()},
            {"port", ref.backend.port},
            {"admin", said.admin ? json::value(to_string(*said.admin)) : json::value(nullptr)},
            {"weight", said.weight ? json::value(*said.weight) : json::value(nullptr)},
            {"since", said.since.empty() ? json::value(nullptr) : json::value(said.since)},
            {"actor", make_actor_object(said.actor)},
        });
    }
    return {{"overrides", std::move(list)}};
}

json::object
make_history_view(const Reconciler& reconciler, std::uint64_t before, std::size_t limit) {
    json::array list;
    json::value next = nullptr;
    const auto& entries = reconciler.history().entries();
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
        if (entry->number >= before) {
            continue;
        }
        if (list.size() == limit) {
            next = std::prev(entry)->number;
            break;
        }
        list.push_back(json::object{
            {"number", entry->number},
            {"current", entry->number == reconciler.current_number()},
            {"time", entry->time},
            {"generation", entry->generation},
            {"source", entry->source},
            {"actor", make_actor_object(entry->actor)},
            {"name", entry->name},
            {"services", entry->services},
            {"backends", entry->backends},
            {"bytes", entry->bytes},
        });
    }
    return {
        {"confirmation", make_confirmation_view(reconciler)},
        {"history", std::move(list)},
        {"next", std::move(next)},
    };
}

json::value make_confirmation_view(const Reconciler& reconciler) {
    const auto& trial = reconciler.confirmation();
    if (!trial) {
        return nullptr;
    }
    const auto left = time_left(*trial, std::chrono::system_clock::now());
    return json::object{
        {"back_to", trial->back_to},
        {"deadline", format_rfc3339(trial->deadline)},
        {"seconds_left", std::chrono::duration<double>(left).count()},
        {"actor", make_actor_object(trial->actor)},
    };
}

} // namespace penstock
