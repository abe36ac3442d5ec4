// SPDX-License-Identifier: Apache-2.0
// What would become of a packet, and why, without sending it and without changing anything.
//
// The answer is the packet path's own: a copy of the packet goes through process_burst() with the
// snapshot and next hops in force, counters that nobody reads and a flow table that holds one entry:
// the packet's, copied from the table of the worker that has it. The facts beside it (hash, slot,
// entry) are found with the same functions.
//
// Thread rule: any thread but a worker (it allocates); one caller at a time. Workers' tables are
// only read, with find(), which any thread may (flow_table.hpp). The caller keeps the snapshot
// alive.
#pragma once

#include "dataplane/core/line_memory.hpp"
#include "dataplane/core/offline_worker.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace penstock {

/// An entry of the packet's flow, as a worker's table has it.
struct FlowSighting {
    std::size_t worker = 0;
    FlowEntry entry;
};

struct Explanation {
    Verdict verdict;
    std::optional<FlowHash> hash;        ///< if the packet matched a service
    std::uint32_t slot = 0;              ///< of the service's table, that the hash chooses
    std::uint32_t slot_count = 0;        ///< 0: no backend takes new flows
    BackendId slot_backend;              ///< in that slot: the choice for a new flow
    std::vector<FlowSighting> sightings; ///< newest first; the first one counts
    std::uint64_t next_hop = 0;          ///< word of the NextHopTable for verdict.backend; 0: none
    std::vector<std::uint8_t> sent;      ///< as it would leave, if the verdict is forward or reply
};

/// What the running dataplane decides with.
struct ExplainView {
    const Snapshot* snapshot = nullptr;      ///< may be null
    std::span<const WorkerTables> workers;   ///< by worker
    const NextHopTable* next_hops = nullptr; ///< never null
    PathMtuTable* path_mtus = nullptr;       ///< never null
    std::span<const PortFacts> ports;        ///< by PortId
    CoarseTime now;                          ///< of the workers' clock
};

class Explainer {
public:
    Explainer();
    Explainer(const Explainer&) = delete;
    Explainer& operator=(const Explainer&) = delete;

    /// `frame` as it would arrive at `port`, whole.
    [[nodiscard]] Explanation
    explain(const ExplainView& view, std::span<const std::uint8_t> frame, PortId port);

private:
    LineMemory table_;
    OfflineWorker scratch_; ///< made anew for no packet: what one leaves in it is forgotten
};

} // namespace penstock
