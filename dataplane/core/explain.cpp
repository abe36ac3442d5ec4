// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/explain.hpp"

#include "dataplane/core/flow.hpp"
#include "dataplane/core/flow_choice.hpp"
#include "dataplane/core/other_packets.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/service_lookup.hpp"

#include <algorithm>
#include <memory>

namespace penstock {
namespace {

constexpr std::uint16_t headroom = 128; // as DPDK's buffers have

// The entry that the table's owner would find. By the time its slot is read again it may hold
// another flow, so that is looked at once more.
std::optional<FlowEntry>
find_entry(const FlowTable& flows, FlowHash hash, const Snapshot& snapshot, ServiceId service) {
    constexpr int attempts = 8;
    for (int i = 0; i < attempts; ++i) {
        BackendId accepted = null_backend;
        const FlowTable::Slot* const slot = flows.find(hash, [&](BackendId id) {
            const BackendEntry& backend = snapshot.backend(id);
            accepted = id;
            return backend.in_use && backend.service == service;
        });
        if (slot == nullptr) {
            return std::nullopt;
        }
        const FlowEntry entry = FlowTable::read(*slot);
        if (entry.digest == hash.digest() && entry.backend == accepted) {
            return entry;
        }
    }
    return std::nullopt;
}

std::vector<FlowSighting> find_entries(const ExplainView& view, FlowHash hash, ServiceId service) {
    std::vector<FlowSighting> sightings;
    for (std::size_t worker = 0; worker < view.workers.size(); ++worker) {
        if (auto entry = find_entry(*view.workers[worker].flows, hash, *view.snapshot, service)) {
            sightings.push_back({.worker = worker, .entry = *entry});
        }
    }
    std::ranges::sort(sightings, {}, [&](const FlowSighting& sighting) {
        return view.now.since(sighting.entry.last_seen);
    });
    return sightings;
}

// An error about one of our own outer packets lowers the MTU that all workers share: not so if it is
// only asked about.
bool changes_path_mtu(const ExplainView& view, const Packet& packet) {
    const ParsedPacket parsed = parse_packet(packet);
    return view.snapshot != nullptr && parsed.is_ip() &&
           view.snapshot->is_tunnel_source(destination_of(packet, parsed));
}

// What the snapshot would do with the flow's first packet, and which entries it has.
void find_facts(const ExplainView& view, const Packet& packet, Explanation& found) {
    Flow flow;
    flow.parsed = parse_packet(packet);
    const bool has_tuple = flow.parsed.is_ip() && !flow.parsed.later_fragment;
    const ServiceMatch match =
        has_tuple ? look_up_service(packet, flow.parsed, *view.snapshot) : ServiceMatch{};
    if (match.service == nullptr) {
        return;
    }
    flow.service = match.service;
    flow.hash = match.hash;
    found.hash = flow.hash;
    found.slot_count = flow.service->slots == nullptr ? 0 : flow.service->slot_count;
    if (found.slot_count > 0) {
        const FlowHash choice = choice_of(*view.snapshot, packet, flow);
        found.slot = choice.choose_slot(flow.service->slot_count);
        found.slot_backend = {flow.service->slots[found.slot]};
    }
    found.sightings = find_entries(view, flow.hash, flow.service->id);
}

} // namespace

Explainer::Explainer() : table_(FlowTable::bytes_for(1)), scratch_(table_.span(), {}) {}

Explanation
Explainer::explain(const ExplainView& view, std::span<const std::uint8_t> frame, PortId port) {
    const auto memory = std::make_unique<std::uint8_t[]>(headroom + frame.size());
    std::ranges::copy(frame, memory.get() + headroom);
    Packet packet{
        .data = memory.get() + headroom,
        .length = static_cast<std::uint32_t>(frame.size()),
        .total_length = static_cast<std::uint32_t>(frame.size()),
        .headroom = headroom,
        .rx_port = port,
    };
    Explanation found;
    scratch_.forget(); // what the last packet left in it
    FlowTable& flows = scratch_.flows();
    if (view.snapshot != nullptr) {
        find_facts(view, packet, found);
        if (!found.sightings.empty()) {
            const FlowEntry& entry = found.sightings.front().entry;
            flows.insert(*found.hash, entry.backend, entry.state, entry.last_seen);
            scratch_.context().stats.backends[entry.backend.value].flows.add(1);
        }
    }
    // Fragments and ICMP errors find their flow where the workers would: in each other's tables.
    WorkerContext& own = scratch_.context();
    WorkerContext worker{
        .flows = flows,
        .fragments = own.fragments,
        .next_hops = *view.next_hops,
        .path_mtus = changes_path_mtu(view, packet) ? own.path_mtus : *view.path_mtus,
        .ports = view.ports,
        .stats = own.stats,
        .siblings = view.workers,
        .nat = own.nat,
        .limits = own.limits,
        .flood = own.flood,
        .too_big_budget = {},
    };
    process_burst(worker, view.snapshot, view.now, {&packet, 1}, {&found.verdict, 1});
    if (found.verdict.backend != null_backend) {
        found.next_hop = view.next_hops->load(found.verdict.backend);
    }
    if (found.verdict.kind == VerdictKind::forward || found.verdict.kind == VerdictKind::reply) {
        found.sent.assign(packet.data, packet.data + packet.length);
    }
    return found;
}

} // namespace penstock
