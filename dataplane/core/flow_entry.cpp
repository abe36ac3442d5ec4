// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/flow_entry.hpp"

#include "dataplane/core/admission.hpp"
#include "dataplane/core/flood_guard.hpp"

namespace penstock {
namespace {

void count_new_flow(const WorkerStats& stats, ServiceId service, BackendId backend) {
    stats.services[service.value].new_flows.add(1);
    stats.backends[backend.value].new_flows.add(1);
}

} // namespace

BackendId start_flow(WorkerContext& worker, const Flow& flow, FlowHash choice, CoarseTime now) {
    return start_flow_to(worker, flow, choose_backend(*flow.service, choice), now);
}

BackendId start_flow_to(WorkerContext& worker, const Flow& flow, BackendId chosen, CoarseTime now) {
    // A reset of an unknown connection ends it; an entry would only wait for its timeout.
    if (chosen == null_backend || resets_connection(flow.parsed)) {
        return chosen;
    }
    if (opens_connection(flow.parsed) &&
        !worker.flood->admit_syn(
            flow.service->id, now, worker.flows.size(), worker.flows.capacity()
        )) {
        worker.stats.worker->flows_withheld.add(1);
        return chosen;
    }
    if (worker.flows.insert(flow.hash, chosen, first_state(flow.parsed), now) == nullptr) {
        worker.stats.worker->flows_unplaced.add(1);
        return chosen;
    }
    worker.stats.worker->flows_inserted.add(1);
    worker.stats.backends[chosen.value].flows.add(1);
    note_flow_started(worker, flow.service->id);
    count_new_flow(worker.stats, flow.service->id, chosen);
    return chosen;
}

BackendId move_flow(
    WorkerContext& worker,
    FlowTable::Slot& slot,
    const FlowEntry& entry,
    const Flow& flow,
    FlowHash choice,
    CoarseTime now
) {
    return move_flow_to(worker, slot, entry, flow, choose_backend(*flow.service, choice), now);
}

BackendId move_flow_to(
    WorkerContext& worker,
    FlowTable::Slot& slot,
    const FlowEntry& entry,
    const Flow& flow,
    BackendId chosen,
    CoarseTime now
) {
    if (chosen != null_backend) {
        FlowTable::update(slot, chosen, first_state(flow.parsed), now);
        worker.stats.backends[entry.backend.value].flows.subtract(1);
        worker.stats.backends[chosen.value].flows.add(1);
        count_new_flow(worker.stats, flow.service->id, chosen);
    }
    return chosen;
}

void forget_flow(
    WorkerContext& worker, FlowTable::Slot& slot, const FlowEntry& entry, ServiceId service
) {
    worker.flows.erase(slot);
    note_flow_ended(worker, service);
    worker.stats.backends[entry.backend.value].flows.subtract(1);
}

} // namespace penstock
