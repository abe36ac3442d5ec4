// SPDX-License-Identifier: Apache-2.0
// Whether a packet, and a new flow, is let in: access lists and limits.
//
// Limits are the worker's share of them (rate_limit.hpp). They meet new flows only: what is
// established is never dropped for a limit, and a flow that moves because its server went down is
// none that is new.
//
// Thread rule: the worker that handles the burst.
#pragma once

#include "dataplane/core/flow.hpp"
#include "dataplane/core/limit_state.hpp"
#include "dataplane/core/pipeline.hpp"

#include <optional>

namespace penstock {

/// Why the access lists drop the packet, the global one first. REQUIRES: the service has
/// feature::access.
[[nodiscard]] std::optional<DropReason> refuse_source(const Packet& packet, const Flow& flow);

/// Why a limit of the service keeps a new flow to `backend` out. Takes tokens if none does.
/// `backend` may be null_backend.
[[nodiscard]] std::optional<DropReason> refuse_new_flow(
    WorkerContext& worker,
    const Snapshot& snapshot,
    const Packet& packet,
    const Flow& flow,
    BackendId backend
);

// The number of a service's flows, which follows every entry that is made or ends.
inline void note_flow_started(const WorkerContext& worker, ServiceId service) {
    ++worker.limits->flows[service.value];
}

inline void note_flow_ended(const WorkerContext& worker, ServiceId service) {
    --worker.limits->flows[service.value];
}

} // namespace penstock
