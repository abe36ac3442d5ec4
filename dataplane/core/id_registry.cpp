// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/id_registry.hpp"

#include <algorithm>
#include <iterator>

namespace penstock {
namespace {

// The next id: one given back, else a new one.
template <typename Id>
Id take_id(std::vector<Id>& free_ids, std::uint16_t& next) {
    if (free_ids.empty()) {
        return Id{next++};
    }
    const Id id = free_ids.back();
    free_ids.pop_back();
    return id;
}

} // namespace

bool IdRegistry::assign(const DesiredState& desired) {
    std::size_t new_services = 0;
    std::size_t new_backends = 0;
    for (const ServiceSpec& service : desired.services) {
        new_services += services_.contains(service.key) ? 0 : 1;
        for (const BackendSpec& backend : service.backends) {
            new_backends += backends_.contains({service.key, backend.key}) ? 0 : 1;
        }
    }
    if (services_.size() + new_services > max_services ||
        backends_.size() + new_backends > max_backends - 1) {
        return false;
    }
    for (auto& [key, service] : services_) {
        service.desired = false;
    }
    for (auto& [name, backend] : backends_) {
        backend.desired = false;
    }
    for (const ServiceSpec& spec : desired.services) {
        auto service = services_.find(spec.key);
        if (service == services_.end()) {
            const ServiceId id = take_id(free_service_ids_, next_service_);
            service = services_.emplace(spec.key, Service{.id = id}).first;
        }
        service->second.desired = true;
        for (const BackendSpec& member : spec.backends) {
            const BackendName name{spec.key, member.key};
            auto backend = backends_.find(name);
            if (backend == backends_.end()) {
                const BackendId id = take_id(free_backend_ids_, next_backend_);
                backend = backends_.emplace(name, Backend{.id = id}).first;
            }
            backend->second = {
                .id = backend->second.id,
                .service = service->second.id,
                .desired = true,
                .tunnel =
                    {.forwarding = spec.forwarding,
                     .gue_variant = spec.gue_variant,
                     .gue_port = spec.gue_port},
                .keeps_flows = keeps_flows(member, spec.on_down),
                .resets_flows = member.health == Health::down && spec.on_down == DownPolicy::reset,
            };
        }
    }
    return true;
}

void IdRegistry::free_retired(std::span<const std::uint64_t> flows) {
    for (auto it = backends_.begin(); it != backends_.end();) {
        const Backend& backend = it->second;
        if (backend.desired || flows[backend.id.value] != 0) {
            ++it;
            continue;
        }
        free_backend_ids_.push_back(backend.id);
        it = backends_.erase(it);
    }
    for (auto it = services_.begin(); it != services_.end();) {
        const auto first = backends_.lower_bound({it->first, BackendKey{}});
        const bool has_backends = first != backends_.end() && first->first.first == it->first;
        if (it->second.desired || has_backends) {
            ++it;
            continue;
        }
        free_service_ids_.push_back(it->second.id);
        it = services_.erase(it);
    }
}

} // namespace penstock
