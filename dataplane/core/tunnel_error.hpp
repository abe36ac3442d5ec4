// SPDX-License-Identifier: Apache-2.0
// ICMP errors about our own tunnel packets. Too big: the path to a backend carries less than the
// port does; that is noted (path_mtu.hpp), and if enough of the packet inside is quoted and it may not
// be cut, its client is told at once instead of at its next packet (RFC 2003 5.1, RFC 2473 8.1).
//
// Thread rule: the worker that handles the burst.
#pragma once

#include "dataplane/core/pipeline.hpp"

namespace penstock {

/// Decides an ICMP error to a tunnel source. Believed is only what quotes a packet from a tunnel
/// source to one of our backends in one of its tunnel's protocols. The packet becomes the message to
/// the client, if the client's packet may not be cut, or is dropped as tunnel_error. What quotes
/// something else is the kernel's: the address may be the host's own. REQUIRES: parsed is of the packet: an ICMP error, no fragment.
[[nodiscard]] Verdict take_tunnel_error(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    Packet& packet,
    const ParsedPacket& parsed
);

} // namespace penstock
