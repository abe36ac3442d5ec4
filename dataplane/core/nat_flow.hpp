// SPDX-License-Identifier: Apache-2.0
// NAT services in the pipeline: both directions of their flows.
//
//   client ─► VIP        stage 3: find the flow, or choose a backend and a source port for it
//                        stage 4: destination becomes the server, source becomes ours
//   server ─► source     found by its ports alone: destination becomes the client, source the VIP;
//                        it leaves by the way on which the client's last packet came
//
// Both directions, errors that quote either, and later fragments go through the one entry in the NAT
// table, which its worker owns. What comes to another worker is handed over: a reply by the owner of
// its port, what has no port of ours (errors from the client's side, later fragments) from worker to
// worker until one knows the flow.
//
// Thread rule: the worker that handles the burst.
#pragma once

#include "dataplane/core/flow.hpp"
#include "dataplane/core/pipeline.hpp"

namespace penstock {

/// Stage 3 for packets to a NAT service: sets flow.nat and flow.backend, or decides the packet: then
/// flow.has_verdict is true and `verdict` holds the verdict. Returns true if an entry was followed.
bool choose_nat(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    Packet& packet,
    Flow& flow,
    Verdict& verdict
);

/// Stage 4: the edits of layers 3 and 4. REQUIRES: flow.nat is set.
void edit_nat(WorkerContext& worker, Packet& packet, const Flow& flow);

/// Decides a packet to one of our source addresses, and edits it if it is forwarded. REQUIRES:
/// parsed is of the packet, which is IP.
[[nodiscard]] Verdict take_nat_reply(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    Packet& packet,
    const ParsedPacket& parsed
);

/// Ends flows that are idle for longer than their timeout, and frees ports that have rested, in the
/// next `entries` entries; sets the gauges.
void expire_nat(
    WorkerContext& worker, const Snapshot& snapshot, CoarseTime now, std::size_t entries
);

} // namespace penstock
