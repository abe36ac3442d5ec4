// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/admission.hpp"

#include "dataplane/core/flow_choice.hpp"

namespace penstock {
namespace {

// The source's bucket is named by its prefix and the service.
FlowHash source_key(
    const FlowHasher& hasher,
    const ServiceLimits& limits,
    const IpAddress& source,
    ServiceId service
) {
    const bool ipv4 = source.is_ipv4();
    FlowTuple name;
    name.source =
        clear_host_bits(source, ipv4 ? limits.source_host_bits_ipv4 : limits.source_host_bits_ipv6);
    name.destination = ipv4 ? IpAddress::from_ipv4({0}) : IpAddress{};
    name.source_port = Be16{service.value};
    return hasher.hash(name);
}

} // namespace

std::optional<DropReason> refuse_source(const Packet& packet, const Flow& flow) {
    const IpAddress source = source_of(packet, flow.parsed);
    const ServicePolicy& policy = *flow.service->policy;
    for (const AccessList* list : {policy.global_access, policy.access}) {
        if (list == nullptr) {
            continue;
        }
        if (const auto reason = list->refuse(source)) {
            return reason;
        }
    }
    return std::nullopt;
}

std::optional<DropReason> refuse_new_flow(
    WorkerContext& worker,
    const Snapshot& snapshot,
    const Packet& packet,
    const Flow& flow,
    BackendId backend
) {
    if ((flow.service->features & feature::limits) == 0) {
        return std::nullopt;
    }
    const ServiceLimits& limits = flow.service->policy->limits;
    const ServiceId service = flow.service->id;
    LimitState& state = *worker.limits;
    const auto share = [&state](std::uint32_t limit) {
        return share_of_limit(limit, state.workers);
    };
    if (limits.flows != 0 && state.flows[service.value] >= share(limits.flows)) {
        return DropReason::service_flow_limit;
    }
    if (limits.flows_per_backend != 0 &&
        worker.stats.backends[backend.value].flows.read() >= share(limits.flows_per_backend)) {
        return DropReason::backend_flow_limit;
    }
    // The source's tokens first: a noisy source must not use up those of the service.
    if (limits.new_flows_per_s_and_source != 0) {
        const FlowHash key =
            source_key(snapshot.hasher(), limits, source_of(packet, flow.parsed), service);
        const std::uint32_t rate = share(limits.new_flows_per_s_and_source);
        if (!state.sources.take(key, rate, worker.now_ms)) {
            return DropReason::source_flow_rate;
        }
    }
    if (limits.new_flows_per_s != 0 &&
        !state.new_flows[service.value].take(share(limits.new_flows_per_s), worker.now_ms)) {
        return DropReason::service_flow_rate;
    }
    return std::nullopt;
}

} // namespace penstock
