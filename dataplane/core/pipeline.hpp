// SPDX-License-Identifier: Apache-2.0
// The way of a burst: parse all, look up all, decide all, rewrite all. Pure: bytes + snapshot +
// flow state + time → verdicts + edits. No clock, no I/O, no allocation.
//
// Thread rule: a worker calls process_burst() with its own flow table and counters; the snapshot
// and the next hops are shared and read only; what its siblings own it only reads.
#pragma once

#include "dataplane/core/counters.hpp"
#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/fragments.hpp"
#include "dataplane/core/next_hop.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/path_mtu.hpp"
#include "dataplane/core/port_facts.hpp"
#include "dataplane/core/snapshot.hpp"
#include "dataplane/core/too_big_answer.hpp"

#include <cstdint>
#include <span>

namespace penstock {

class FloodGuard;
struct LimitState;
struct NatState;

/// What a worker owns and the others may find() in.
struct WorkerTables {
    const FlowTable* flows = nullptr;
    const FragmentTracker* fragments = nullptr;
};

/// Everything a burst is decided with.
struct WorkerContext {
    FlowTable& flows;
    FragmentTracker& fragments;
    const NextHopTable& next_hops;
    PathMtuTable& path_mtus;          ///< shared by all workers
    std::span<const PortFacts> ports; ///< by PortId
    WorkerStats stats;
    std::span<const WorkerTables> siblings; ///< of the other workers, this one's not among them
    std::uint64_t now_ms = 0;               ///< the caller's clock, as of the last housekeeping
    NatState* nat = nullptr;                ///< never null: this worker's alone
    LimitState* limits = nullptr;           ///< the same
    FloodGuard* flood = nullptr;            ///< the same
    ReplyBudget too_big_budget;             ///< this worker's alone
};

/// Decides every packet of the burst and rewrites those that leave. `verdicts[i]` is for
/// `packets[i]`. Counts flow_hits, flow_misses, flows_*, drops, replies and the services' and
/// backends' counters; the caller counts rx, tx and what the driver refused. With a null snapshot
/// everything is dropped as no_snapshot. REQUIRES: packets.size() == verdicts.size() <= max_burst.
void process_burst(
    WorkerContext& worker,
    const Snapshot* snapshot,
    CoarseTime now,
    std::span<Packet> packets,
    std::span<Verdict> verdicts
);

/// Forgets flows idle for longer than their timeout, in the next part of the table, and datagrams
/// that took too long; call it at every housekeeping. Looks at no more than `buckets` buckets of
/// each, and at as large a part of the NAT table and of the path MTUs.
void expire_flows(
    WorkerContext& worker, const Snapshot* snapshot, CoarseTime now, std::size_t buckets
);

} // namespace penstock
