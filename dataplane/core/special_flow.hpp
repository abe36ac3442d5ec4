// SPDX-License-Identifier: Apache-2.0
// Stage 3 for flows that are not plain: services with features (snapshot.hpp) and packets that
// belong to a flow without being of its addresses and ports (flow.hpp, FlowRole). Kept out of the
// plain way, which tests for it once.
//
// Thread rule: the worker that handles the burst.
#pragma once

#include "dataplane/core/flow.hpp"
#include "dataplane/core/pipeline.hpp"

namespace penstock {

/// True if the flow needs choose_specially().
[[nodiscard]] inline bool is_special(const Flow& flow) {
    return (flow.service->features | static_cast<std::uint8_t>(flow.role)) != 0;
}

/// True if its service asks nothing but that no entry is made: its hash decides, no more.
[[nodiscard]] inline bool is_untracked(const Flow& flow) {
    return flow.service->features == feature::untracked && flow.role == FlowRole::member;
}

/// True if the flow needs edit_specially().
[[nodiscard]] inline bool is_edited(const Flow& flow) {
    return (flow.service->features & feature::edited) != 0;
}

/// Chooses flow.backend, or decides the packet: then flow.has_verdict is true and `verdict` holds
/// the verdict. Returns true if an entry was followed.
bool choose_specially(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    Packet& packet,
    Flow& flow,
    Verdict& verdict
);

/// The edits of the packet itself that come before those of its way.
void edit_specially(WorkerContext& worker, Packet& packet, const Flow& flow);

} // namespace penstock
