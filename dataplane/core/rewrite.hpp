// SPDX-License-Identifier: Apache-2.0
// The edits that send a packet to its backend.
//
// Thread rule: pure edits of one packet. The inner packet stays byte for byte as it came.
#pragma once

#include "dataplane/core/next_hop.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/port_facts.hpp"
#include "dataplane/core/snapshot.hpp"

#include <cstdint>
#include <optional>

namespace penstock {

/// Addresses the frame to `hop`, a word of the NextHopTable that is not 0, and, if the backend's
/// rewrite is a tunnel, puts the outer header before the packet: TTL 64, DF copied, DSCP and ECN
/// copied (RFC 6040 4.1, normal mode), identification from `next_ip_id` where fragmentation is
/// allowed and 0 where it is not (RFC 6864 4.1). VLAN tags stay. Returns why the packet cannot
/// leave, having changed nothing then.
[[nodiscard]] std::optional<DropReason> rewrite_for_backend(
    Packet& packet,
    const ParsedPacket& parsed,
    const BackendEntry& backend,
    std::uint64_t hop,
    const PortFacts& port,
    std::uint16_t& next_ip_id
);

} // namespace penstock
