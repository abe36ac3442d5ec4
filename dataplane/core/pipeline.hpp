// SPDX-License-Identifier: Apache-2.0
// The way of a burst: parse all, look up all, decide all, rewrite all. Pure: bytes + snapshot +
// flow state + time → verdicts + edits. No clock, no I/O, no allocation.
//
// Thread rule: a worker calls process_burst() with its own flow table and counters; the snapshot
// and the next hops are shared and read only.
#pragma once

#include "dataplane/core/counters.hpp"
#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/next_hop.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/port_facts.hpp"
#include "dataplane/core/snapshot.hpp"

#include <span>

namespace penstock {

/// Everything a burst is decided with.
struct WorkerContext {
    FlowTable& flows;
    const NextHopTable& next_hops;
    std::span<const PortFacts> ports; ///< by PortId
    WorkerStats stats;
    std::uint16_t next_ip_id = 0; ///< for outer headers without DF; this worker's alone
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

/// Forgets flows idle for longer than their timeout, in the next part of the table; call it at
/// every housekeeping. Looks at no more than `buckets` buckets.
void expire_flows(
    WorkerContext& worker, const Snapshot* snapshot, CoarseTime now, std::size_t buckets
);

} // namespace penstock
