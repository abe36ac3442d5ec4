// SPDX-License-Identifier: Apache-2.0
// Builder, the part that explains packets: core's explanation (explain.hpp) with the names of
// things.
#include "dataplane/dpdk/builder.hpp"

#include <algorithm>
#include <utility>

namespace penstock {
namespace {

// Keys and names of ids as the registry has them now. It may be a compilation ahead of the snapshot
// that decides, but an id keeps its meaning for as long as any snapshot may name it.
struct Names {
    std::vector<const ServiceKey*> services;
    std::vector<const IdRegistry::BackendName*> backends;

    explicit Names(const IdRegistry& ids) : services(max_services), backends(max_backends) {
        for (const auto& [key, service] : ids.services()) {
            services[service.id.value] = &key;
        }
        for (const auto& [key, backend] : ids.backends()) {
            backends[backend.id.value] = &key;
        }
    }
};

const ServiceSpec* find_service(const DesiredState* desired, const ServiceKey& key) {
    if (desired == nullptr) {
        return nullptr;
    }
    const auto found = std::ranges::find(desired->services, key, &ServiceSpec::key);
    return found == desired->services.end() ? nullptr : &*found;
}

// A backend as it is declared, or what is still known of one that no longer is.
ExplainedBackend describe_backend(
    const IdRegistry& ids,
    const IdRegistry::BackendName& key,
    const std::string& name,
    const DesiredState* desired
) {
    ExplainedBackend found{
        .spec = {.name = name, .key = key.second, .weight = 0},
        .forwarding = ids.backends().at(key).tunnel.forwarding,
        .removed = true,
    };
    if (const ServiceSpec* const service = find_service(desired, key.first)) {
        const auto backend = std::ranges::find(service->backends, key.second, &BackendSpec::key);
        if (backend != service->backends.end()) {
            found = {.spec = *backend, .forwarding = service->forwarding, .removed = false};
        }
    }
    return found;
}

} // namespace

Explained Builder::explain(
    const ExplainPackets& request,
    const ExplainView& view,
    const DesiredState* desired,
    const std::vector<std::string>& ports
) {
    const Names names(ids_);
    Explained answer{
        .generation = view.snapshot == nullptr ? 0 : view.snapshot->generation(), .packets = {}
    };
    for (const std::vector<std::uint8_t>& frame : request.frames) {
        Explanation said = explainer_.explain(view, frame, PortId{0});
        const Verdict& verdict = said.verdict;
        ExplainedPacket& packet = answer.packets.emplace_back();
        packet.verdict = verdict.kind;
        if (verdict.kind == VerdictKind::drop) {
            packet.reason = drop_reason_name(verdict.reason);
            packet.reason_text = drop_reason_text(verdict.reason);
        }
        if (verdict.service != null_service && names.services[verdict.service.value] != nullptr) {
            packet.service = *names.services[verdict.service.value];
            packet.service_name = service_names_[verdict.service.value];
        }
        packet.hash = said.hash ? said.hash->value : 0;
        packet.slot = said.slot;
        packet.slot_count = said.slot_count;
        packet.slot_backend = backend_names_[said.slot_backend.value];
        for (const FlowSighting& sighting : said.sightings) {
            packet.flows.push_back({
                .worker = static_cast<std::uint32_t>(sighting.worker),
                .age_s = view.now.since(sighting.entry.last_seen) * CoarseTime::seconds_per_tick,
                .state = sighting.entry.state,
                .backend_name = backend_names_[sighting.entry.backend.value],
            });
        }
        if (const auto* const key = names.backends[verdict.backend.value]) {
            packet.backend =
                describe_backend(ids_, *key, backend_names_[verdict.backend.value], desired);
        }
        if (said.next_hop != 0) {
            packet.next_hop_mac = NextHopTable::unpack(said.next_hop).mac;
        }
        if (!said.sent.empty()) {
            packet.tx_port = ports.at(verdict.tx_port.value);
        }
        packet.sent = std::move(said.sent);
    }
    return answer;
}

} // namespace penstock
