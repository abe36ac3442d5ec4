// SPDX-License-Identifier: Apache-2.0
// The packets that no service takes by their destination, protocol and port: ours to answer, of some
// flow after all (fragments, ICMP errors), ours to drop, or the kernel's.
//
// Thread rule: the worker that handles the burst.
#pragma once

#include "dataplane/core/flow.hpp"
#include "dataplane/core/pipeline.hpp"

#include <optional>

namespace penstock {

/// Decides the packet. Nothing: it is of a flow, and `flow` says how: role, service, and the hash
/// or, for a later fragment, the backend.
[[nodiscard]] std::optional<Verdict> decide_other(
    WorkerContext& worker, const Snapshot& snapshot, CoarseTime now, Packet& packet, Flow& flow
);

/// The identity of a fragment's datagram (RFC 791 3.2, RFC 8200 4.5), keyed like a flow's.
/// REQUIRES: flow.parsed is of the packet and a fragment.
[[nodiscard]] FlowHash
hash_datagram(const FlowHasher& hasher, const Packet& packet, const ParsedPacket& parsed);

/// The backend that a datagram's first fragment went to, here or at another worker; null_backend if
/// it has not come.
[[nodiscard]] BackendId find_datagram(const WorkerContext& worker, FlowHash datagram);

} // namespace penstock
