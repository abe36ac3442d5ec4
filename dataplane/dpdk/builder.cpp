// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/builder.hpp"

#include "dataplane/core/compile.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace penstock {
namespace {

using BackendName = IdRegistry::BackendName;

/// Puts the updates on top of `desired`; the result counts, for each, what it named in vain.
std::vector<std::uint32_t>
update_health(DesiredState& desired, const std::vector<UpdateHealth>& updates) {
    std::vector<std::uint32_t> unknown(updates.size());
    if (updates.empty()) {
        return unknown;
    }
    std::map<BackendName, BackendSpec*> backends;
    for (ServiceSpec& service : desired.services) {
        for (BackendSpec& backend : service.backends) {
            backends.emplace(BackendName{service.key, backend.key}, &backend);
        }
    }
    for (std::size_t i = 0; i < updates.size(); ++i) {
        for (const HealthChange& change : updates[i].changes) {
            const auto found = backends.find({change.service, change.backend});
            if (found == backends.end()) {
                ++unknown[i];
            } else {
                found->second->health = change.health;
            }
        }
    }
    return unknown;
}

bool has_new_targets(const Snapshot& snapshot, const Snapshot* previous) {
    std::set<std::pair<std::uint16_t, IpAddress>> known;
    if (previous != nullptr) {
        for (const Snapshot::Target& target : previous->targets()) {
            known.emplace(target.id.value, target.address);
        }
    }
    return !std::ranges::all_of(snapshot.targets(), [&](const Snapshot::Target& target) {
        return known.contains({target.id.value, target.address});
    });
}

} // namespace

Builder::Builder(StatisticsWriter& statistics)
    : statistics_(statistics), service_names_(max_services), backend_names_(max_backends) {}

std::expected<Builder::Product, Refusal> Builder::build(const Order& order) {
    auto desired = std::make_shared<DesiredState>(*order.desired);
    Product product;
    product.unknown_backends = update_health(*desired, order.updates);

    const TunnelSources named = desired->tunnel_sources;
    if (!named.ipv4) {
        desired->tunnel_sources.ipv4 = order.default_tunnel_sources.ipv4;
    }
    if (!named.ipv6) {
        desired->tunnel_sources.ipv6 = order.default_tunnel_sources.ipv6;
    }
    auto snapshot = compile_snapshot(*desired, ids_, order.previous.get());
    desired->tunnel_sources = named; // asked anew at every build: addresses change
    if (!snapshot) {
        CompileError& error = snapshot.error();
        return std::unexpected(
            Refusal{std::move(error.place), std::move(error.cause), std::move(error.remedy)}
        );
    }
    product.snapshot = std::move(*snapshot);
    product.has_new_backends = has_new_targets(*product.snapshot, order.previous.get());
    write_directory(*desired);
    product.desired = std::move(desired);
    return product;
}

void Builder::write_directory(const DesiredState& desired) {
    // Names of what is retired stay as they were written last.
    std::map<ServiceKey, const std::string*> service_names;
    std::map<BackendName, const std::string*> backend_names;
    for (const ServiceSpec& service : desired.services) {
        service_names.emplace(service.key, &service.name);
        for (const BackendSpec& backend : service.backends) {
            backend_names.emplace(BackendName{service.key, backend.key}, &backend.name);
        }
    }
    for (const auto& [key, service] : ids_.services()) {
        std::string& name = service_names_[service.id.value];
        if (const auto found = service_names.find(key); found != service_names.end()) {
            name = *found->second;
        }
        statistics_.set_service(service.id, key, name, service.desired);
    }
    for (const auto& [key, backend] : ids_.backends()) {
        std::string& name = backend_names_[backend.id.value];
        if (const auto found = backend_names.find(key); found != backend_names.end()) {
            name = *found->second;
        }
        statistics_.set_backend(backend.id, backend.service, key.second, name, backend.desired);
    }
}

bool Builder::has_retired() const {
    const auto is_retired = [](const auto& entry) { return !entry.second.desired; };
    return std::ranges::any_of(ids_.backends(), is_retired) ||
           std::ranges::any_of(ids_.services(), is_retired);
}

bool Builder::free_retired() {
    if (!has_retired()) {
        return false;
    }
    std::vector<std::uint64_t> flows(max_backends);
    statistics_.sum_backend_flows(flows);
    std::set<std::uint16_t> services;
    std::set<std::uint16_t> backends;
    for (const auto& [key, service] : ids_.services()) {
        services.insert(service.id.value);
    }
    for (const auto& [key, backend] : ids_.backends()) {
        backends.insert(backend.id.value);
    }
    ids_.free_retired(flows);
    for (const auto& [key, service] : ids_.services()) {
        services.erase(service.id.value);
    }
    for (const auto& [key, backend] : ids_.backends()) {
        backends.erase(backend.id.value);
    }
    for (const std::uint16_t id : services) {
        statistics_.clear_service({id});
        service_names_[id].clear();
    }
    for (const std::uint16_t id : backends) {
        statistics_.clear_backend({id});
        backend_names_[id].clear();
    }
    return has_retired();
}

std::vector<BackendStatus> Builder::list_backends(
    const DesiredState& desired,
    const std::vector<HopState>& hops,
    const std::vector<std::string>& ports
) const {
    std::vector<BackendStatus> list;
    for (const ServiceSpec& service : desired.services) {
        for (const BackendSpec& backend : service.backends) {
            BackendStatus status{
                .service_name = service.name,
                .service = service.key,
                .name = backend.name,
                .key = backend.key,
                .weight = backend.weight,
                .admin = backend.admin,
                .health = backend.health,
            };
            const auto found = ids_.backends().find({service.key, backend.key});
            const HopState state =
                found == ids_.backends().end() ? HopState{} : hops[found->second.id.value];
            if (state.problem == HopProblem::none) {
                status.next_hop = NextHopState::resolved;
                status.next_hop_mac = state.hop.mac;
                status.next_hop_port = ports.at(state.hop.port.value);
            } else {
                status.next_hop_reason = describe(state.problem, backend.key.address);
            }
            list.push_back(std::move(status));
        }
    }
    return list;
}

} // namespace penstock
