// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/special_flow.hpp"

#include "dataplane/core/admission.hpp"
#include "dataplane/core/flow_choice.hpp"
#include "dataplane/core/flow_entry.hpp"
#include "dataplane/core/mss_clamp.hpp"
#include "dataplane/core/nat_flow.hpp"
#include "dataplane/core/reset_answer.hpp"

namespace penstock {
namespace {

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
    forget_flow(worker, slot, entry, flow.service->id);
    verdict = answer_reset(packet, flow.parsed, worker.ports[packet.rx_port.value]);
    flow.backend = entry.backend; // for the counters
    flow.has_verdict = true;
    return true;
}

// The packet is dropped for `reason`; stage 4 has nothing left to do.
void refuse(Flow& flow, Verdict& verdict, DropReason reason) {
    verdict = {.kind = VerdictKind::drop, .reason = reason};
    flow.has_verdict = true;
}

// A new flow to `chosen`, or one that begins anew on an entry, unless a limit keeps it out.
bool admit(
    WorkerContext& worker,
    const Snapshot& snapshot,
    const Packet& packet,
    Flow& flow,
    BackendId chosen,
    Verdict& verdict
) {
    const auto reason = refuse_new_flow(worker, snapshot, packet, flow, chosen);
    if (reason) {
        refuse(flow, verdict, *reason);
    }
    return !reason;
}

// The entry of a flow whose packet names its server: it follows the packet.
bool follow_name(
    WorkerContext& worker,
    FlowTable::Slot& slot,
    const FlowEntry& entry,
    BackendId named,
    CoarseTime now,
    Flow& flow
) {
    flow.backend = named;
    if (entry.backend == named) {
        FlowTable::update(slot, named, next_state(entry.state, flow.parsed), now);
        return true;
    }
    move_flow_to(worker, slot, entry, flow, named, now);
    return false;
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
    const BackendId named = named_backend(snapshot, packet, flow);
    const auto choose = [&] { return choose_new_backend(snapshot, packet, flow, named); };
    if (slot == nullptr) {
        const BackendId chosen = choose();
        if (admit(worker, snapshot, packet, flow, chosen, verdict)) {
            flow.backend = start_flow_to(worker, flow, chosen, now);
        }
        return false;
    }
    const FlowEntry entry = FlowTable::read(*slot);
    if (named != null_backend) {
        return follow_name(worker, *slot, entry, named, now, flow);
    }
    if (follows_entry(entry, snapshot.backend(entry.backend), flow.parsed)) {
        FlowTable::update(*slot, entry.backend, next_state(entry.state, flow.parsed), now);
        flow.backend = entry.backend;
        return true;
    }
    if (reset_flow(worker, snapshot, entry, *slot, packet, flow, verdict)) {
        return false;
    }
    const BackendId chosen = choose();
    // A flow that must leave its server is not new; a SYN on an old entry is.
    if (!opens_connection(flow.parsed) || admit(worker, snapshot, packet, flow, chosen, verdict)) {
        flow.backend = move_flow_to(worker, *slot, entry, flow, chosen, now);
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
    if ((flow.service->features & feature::access) != 0 && flow.role != FlowRole::quoting) {
        if (const auto reason = refuse_source(packet, flow)) {
            refuse(flow, verdict, *reason);
            return false;
        }
    }
    if (flow.is_chosen) {
        return flow.is_hit;
    }
    if ((flow.service->features & feature::nat) != 0) {
        return choose_nat(worker, snapshot, now, packet, flow, verdict);
    }
    if (flow.role == FlowRole::later_fragment) {
        return true; // it has its backend already
    }
    if (flow.role == FlowRole::quoting) {
        flow.backend = find_followed(worker, snapshot, flow);
        return true;
    }
    if ((flow.service->features & feature::untracked) != 0) {
        const BackendId named = named_backend(snapshot, packet, flow);
        flow.backend = choose_new_backend(snapshot, packet, flow, named);
        return false;
    }
    return choose_tracked(worker, snapshot, now, packet, flow, verdict);
}

void edit_specially(WorkerContext& worker, Packet& packet, const Flow& flow) {
    const bool is_syn =
        flow.parsed.protocol == protocol_tcp && (flow.parsed.tcp_flags & TcpHeader::syn) != 0;
    if ((flow.service->features & feature::mss_clamp) != 0 && is_syn &&
        flow.role != FlowRole::quoting && flow.role != FlowRole::later_fragment) {
        clamp_mss(packet, flow.parsed, flow.service->policy->mss_clamp);
    }
    if ((flow.service->features & feature::nat) != 0) {
        edit_nat(worker, packet, flow);
    }
}

} // namespace penstock
