// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/special_flow.hpp"

#include "dataplane/core/flow_choice.hpp"
#include "dataplane/core/flow_entry.hpp"
#include "dataplane/core/mss_clamp.hpp"
#include "dataplane/core/other_packets.hpp"
#include "dataplane/core/reset_answer.hpp"

namespace penstock {
namespace {

FlowHash choice_of(const Snapshot& snapshot, const Packet& packet, const Flow& flow) {
    if ((flow.service->features & feature::affinity) == 0) {
        return flow.hash;
    }
    return affinity_hash(
        snapshot.hasher(),
        *flow.service->policy,
        source_of(packet, flow.parsed),
        flow.parsed.source_port
    );
}

// The backend that an entry names, here or at another worker: errors about a flow may arrive
// anywhere. It changes no entry.
BackendId find_followed(const WorkerContext& worker, const Snapshot& snapshot, const Flow& flow) {
    BackendId found = null_backend;
    const auto accept = [&](BackendId id) {
        const BackendEntry& backend = snapshot.backend(id);
        found = id;
        return backend.in_use && backend.service == flow.service->id && backend.keeps_flows;
    };
    if (worker.flows.find(flow.hash, accept) != nullptr) {
        return found;
    }
    for (const WorkerTables& sibling : worker.siblings) {
        if (sibling.flows->find(flow.hash, accept) != nullptr) {
            return found;
        }
    }
    return choose_backend(*flow.service, flow.choice);
}

// An entry that must not be followed, of a service that resets the flows of a dead server. True if
// the packet has become the client's RST.
bool reset_flow(
    WorkerContext& worker,
    const Snapshot& snapshot,
    const FlowEntry& entry,
    FlowTable::Slot& slot,
    Packet& packet,
    Flow& flow,
    Verdict& verdict
) {
    if ((flow.service->features & feature::down_reset) == 0 ||
        flow.parsed.protocol != protocol_tcp || opens_connection(flow.parsed) ||
        !snapshot.backend(entry.backend).resets_flows) {
        return false;
    }
    forget_flow(worker, slot, entry);
    verdict = answer_reset(packet, flow.parsed, worker.ports[packet.rx_port.value]);
    flow.backend = entry.backend; // for the counters
    flow.has_verdict = true;
    return true;
}

bool choose_tracked(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    Packet& packet,
    Flow& flow,
    Verdict& verdict
) {
    FlowTable::Slot* const slot = find_entry(worker.flows, snapshot, flow);
    if (slot == nullptr) {
        flow.backend = start_flow(worker, flow, choice_of(snapshot, packet, flow), now);
        return false;
    }
    const FlowEntry entry = FlowTable::read(*slot);
    if (follows_entry(entry, snapshot.backend(entry.backend), flow.parsed)) {
        FlowTable::update(*slot, entry.backend, next_state(entry.state, flow.parsed), now);
        flow.backend = entry.backend;
        return true;
    }
    if (!reset_flow(worker, snapshot, entry, *slot, packet, flow, verdict)) {
        flow.backend =
            move_flow(worker, *slot, entry, flow, choice_of(snapshot, packet, flow), now);
    }
    return false;
}

} // namespace

bool choose_specially(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    Packet& packet,
    Flow& flow,
    Verdict& verdict
) {
    if (flow.role == FlowRole::later_fragment) {
        return true; // it has its backend already
    }
    if (flow.role == FlowRole::quoting) {
        flow.backend = find_followed(worker, snapshot, flow);
        return true;
    }
    if ((flow.service->features & feature::untracked) != 0) {
        flow.backend = choose_backend(*flow.service, choice_of(snapshot, packet, flow));
        return false;
    }
    return choose_tracked(worker, snapshot, now, packet, flow, verdict);
}

void edit_specially(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    Packet& packet,
    const Flow& flow
) {
    if (flow.role == FlowRole::first_fragment) {
        const FlowHash datagram = hash_datagram(snapshot.hasher(), packet, flow.parsed);
        worker.fragments.remember(datagram, flow.backend, now);
    }
    const bool is_syn =
        flow.parsed.protocol == protocol_tcp && (flow.parsed.tcp_flags & TcpHeader::syn) != 0;
    if ((flow.service->features & feature::mss_clamp) != 0 && is_syn &&
        flow.role != FlowRole::quoting && flow.role != FlowRole::later_fragment) {
        clamp_mss(packet, flow.parsed, flow.service->policy->mss_clamp);
    }
}

} // namespace penstock
