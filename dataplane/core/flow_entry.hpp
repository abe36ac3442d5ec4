// SPDX-License-Identifier: Apache-2.0
// Making, moving and ending flow entries, with the counters that go with each: a backend's gauge of
// flows is what frees its id (docs/design/flow-lifetime.md), so no entry changes without it.
//
// Thread rule: the worker that owns the table.
#pragma once

#include "dataplane/core/flow.hpp"
#include "dataplane/core/flow_choice.hpp"
#include "dataplane/core/pipeline.hpp"

namespace penstock {

/// The entry of the flow, or nullptr: one whose backend belongs to the service that the packet
/// matched, so that a digest collision cannot lead out of it.
[[nodiscard]] inline FlowTable::Slot*
find_entry(const FlowTable& flows, const Snapshot& snapshot, const Flow& flow) {
    return flows.find(flow.hash, [&, service = flow.service->id](BackendId id) {
        const BackendEntry& backend = snapshot.backend(id);
        return backend.in_use && backend.service == service;
    });
}

/// Gives a flow without an entry a backend and an entry. A reset of an unknown connection makes
/// none, nor does a SYN in a flood (flood_guard.hpp); like one that finds no room, it goes by hash alone. `choice`: what chooses the backend. Returns the
/// backend, or null_backend.
BackendId start_flow(WorkerContext& worker, const Flow& flow, FlowHash choice, CoarseTime now);

/// The same to a backend that is chosen already.
BackendId start_flow_to(WorkerContext& worker, const Flow& flow, BackendId chosen, CoarseTime now);

/// Gives the flow of an entry that it may not follow to another backend. If there is none, the
/// entry stays.
BackendId move_flow(
    WorkerContext& worker,
    FlowTable::Slot& slot,
    const FlowEntry& entry,
    const Flow& flow,
    FlowHash choice,
    CoarseTime now
);

/// The same to a backend that is chosen already.
BackendId move_flow_to(
    WorkerContext& worker,
    FlowTable::Slot& slot,
    const FlowEntry& entry,
    const Flow& flow,
    BackendId chosen,
    CoarseTime now
);

/// Erases an entry of a flow of `service`.
void forget_flow(
    WorkerContext& worker, FlowTable::Slot& slot, const FlowEntry& entry, ServiceId service
);

} // namespace penstock
