// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/views.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <unordered_map>

namespace penstock {

namespace json = boost::json;

CounterIndex::CounterIndex(const Statistics* statistics) : has_statistics_(statistics != nullptr) {
    if (statistics == nullptr) {
        return;
    }
    std::unordered_map<std::uint16_t, const ServiceSample*> by_id;
    for (const ServiceSample& service : statistics->services) {
        by_id[service.id.value] = &service;
        if (service.desired) {
            services_[service.key] = &service;
        }
    }
    for (const BackendSample& backend : statistics->backends) {
        const auto owner = by_id.find(backend.service.value);
        if (owner == by_id.end()) {
            continue;
        }
        const ServiceKey& key = owner->second->key;
        flows_[key] += backend.flows;
        if (backend.desired) {
            backends_[{.service = key, .backend = backend.key}] = &backend;
        }
    }
}

const ServiceSample* CounterIndex::find(const ServiceKey& key) const {
    const auto found = services_.find(key);
    return found == services_.end() ? nullptr : found->second;
}

const BackendSample* CounterIndex::find(const BackendRef& ref) const {
    const auto found = backends_.find(ref);
    return found == backends_.end() ? nullptr : found->second;
}

std::uint64_t CounterIndex::flows_of(const ServiceKey& key) const {
    const auto found = flows_.find(key);
    return found == flows_.end() ? 0 : found->second;
}

namespace {

using NextHops = std::map<BackendRef, NextHopState>;

NextHops index_next_hops(const Reconciler& reconciler) {
    NextHops hops;
    if (const auto& status = reconciler.dataplane().status) {
        for (const BackendStatus& backend : status->backends) {
            hops[{.service = backend.service, .backend = backend.key}] = backend.next_hop;
        }
    }
    return hops;
}

/// What a sample does not have is 0 while there are statistics (nothing happened yet), null
/// without.
template <typename Sample>
json::value
counter(const CounterIndex& index, const Sample* sample, std::uint64_t Sample::* member) {
    if (!index.has_statistics()) {
        return nullptr;
    }
    return sample == nullptr ? std::uint64_t{0} : sample->*member;
}

json::object make_health_view(const Reconciler& reconciler, std::size_t service) {
    const ServiceDecision& decision = reconciler.decision_of(service);
    return {
        {"ready", decision.ready},
        {"healthy", decision.healthy},
        {"held", decision.held},
        {"hold_waived", decision.is_hold_waived},
        {"kept", decision.kept},
        {"below_minimum", decision.is_below_minimum},
        {"panic", decision.is_panic},
        {"panics", reconciler.panics_of(service)},
    };
}

/// Of desired().services[place]; configuration().services are the same ones in the same order.
json::object
make_service(const Reconciler& reconciler, std::size_t place, const CounterIndex& index) {
    const ServiceSpec& service = reconciler.desired().services[place];
    const config::ProbeConfig& probe = reconciler.configuration().services.at(place).probe;
    BackendCounts counts;
    count_backends(service, counts);
    const std::string reason = reconciler.reason_of(service);
    const ServiceSample* sample = index.find(service.key);
    return {
        {"name", service.name},
        {"vip", service.key.prefix().to_string()},
        {"protocol", to_string(service.key.protocol)},
        {"port", service.key.port},
        {"ports", format_ports(service.key)},
        {"forwarding", to_string(service.forwarding)},
        {"maglev_size", service.maglev_size},
        {"policy", make_policy_view(service)},
        {"state", to_string(reconciler.state_of(service))},
        {"reason", reason.empty() ? json::value(nullptr) : json::value(reason)},
        {"backend_counts",
         json::object{
             {"total", counts.total},
             {"eligible", counts.eligible},
             {"up", counts.up},
             {"down", counts.down},
             {"unknown", counts.unknown},
             {"drain", counts.drain},
             {"disabled", counts.disabled},
         }},
        {"health", make_health_view(reconciler, place)},
        {"probe", make_probe_view(probe, service.key)},
        {"flows",
         index.has_statistics() ? json::value(index.flows_of(service.key)) : json::value(nullptr)},
        {"packets", counter(index, sample, &ServiceSample::packets)},
        {"bytes", counter(index, sample, &ServiceSample::bytes)},
        {"new_flows", counter(index, sample, &ServiceSample::new_flows)},
        {"dropped_packets", counter(index, sample, &ServiceSample::dropped_packets)},
    };
}

json::value make_report(const std::optional<AgentReport>& report) {
    if (!report) {
        return nullptr;
    }
    return json::object{
        {"weight_percent", report->weight_percent},
        {"admin", to_string(report->admin)},
    };
}

json::object make_backend(
    const Reconciler& reconciler,
    const ServiceSpec& service,
    const BackendSpec& backend,
    std::uint64_t eligible_weight,
    const NextHops& hops,
    const CounterIndex& index
) {
    const BackendRef ref{.service = service.key, .backend = backend.key};
    const HealthView health = reconciler.health_of(ref);
    const BackendSample* sample = index.find(ref);
    const bool eligible = is_eligible(backend);
    const auto hop = hops.find(ref);
    json::value next_hop = nullptr;
    if (hop != hops.end()) {
        next_hop = hop->second == NextHopState::resolved ? "resolved" : "unresolved";
    }
    return {
        {"service", service.name},
        {"name", backend.name},
        {"address", backend.key.address.to_string()},
        {"port", backend.key.port},
        {"weight", backend.weight},
        {"admin", to_string(backend.admin)},
        {"health", to_string(health.health)},
        {"reason", health.reason.empty() ? json::value(nullptr) : json::value(health.reason)},
        {"since", health.since ? json::value(format_rfc3339(*health.since)) : json::value(nullptr)},
        {"report", make_report(health.report)},
        {"eligible", eligible},
        {"share",
         eligible ? static_cast<double>(backend.weight) / static_cast<double>(eligible_weight) : 0.0
        },
        {"next_hop", std::move(next_hop)},
        {"flows", counter(index, sample, &BackendSample::flows)},
        {"packets", counter(index, sample, &BackendSample::packets)},
        {"bytes", counter(index, sample, &BackendSample::bytes)},
        {"new_flows", counter(index, sample, &BackendSample::new_flows)},
    };
}

void append_backends(
    json::array& list,
    const Reconciler& reconciler,
    const ServiceSpec& service,
    const NextHops& hops,
    const CounterIndex& index
) {
    std::uint64_t eligible_weight = 0;
    for (const BackendSpec& backend : service.backends) {
        eligible_weight += is_eligible(backend) ? backend.weight : 0;
    }
    for (const BackendSpec& backend : service.backends) {
        list.push_back(make_backend(reconciler, service, backend, eligible_weight, hops, index));
    }
}

} // namespace

json::object make_services_view(const Reconciler& reconciler, const Statistics* statistics) {
    const CounterIndex index(statistics);
    json::array list;
    const auto& services = reconciler.desired().services;
    for (std::size_t i = 0; i < services.size(); ++i) {
        list.push_back(make_service(reconciler, i, index));
    }
    return {{"services", std::move(list)}};
}

json::value make_service_view(
    const Reconciler& reconciler, const Statistics* statistics, std::string_view name
) {
    const auto& services = reconciler.desired().services;
    for (std::size_t i = 0; i < services.size(); ++i) {
        if (services[i].name != name) {
            continue;
        }
        const CounterIndex index(statistics);
        json::object object = make_service(reconciler, i, index);
        json::array backends;
        append_backends(backends, reconciler, services[i], index_next_hops(reconciler), index);
        object["backends"] = std::move(backends);
        return object;
    }
    return nullptr;
}

json::value make_backends_view(
    const Reconciler& reconciler,
    const Statistics* statistics,
    std::optional<std::string_view> service
) {
    const CounterIndex index(statistics);
    const NextHops hops = index_next_hops(reconciler);
    json::array list;
    bool found = !service;
    for (const ServiceSpec& spec : reconciler.desired().services) {
        if (!service || spec.name == *service) {
            found = true;
            append_backends(list, reconciler, spec, hops, index);
        }
    }
    if (!found) {
        return nullptr;
    }
    return json::object{{"backends", std::move(list)}};
}

} // namespace penstock
