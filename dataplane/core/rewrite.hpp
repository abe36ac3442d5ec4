// SPDX-License-Identifier: Apache-2.0
// The edits that send a packet to its backend.
//
// Thread rule: pure edits of one packet. The inner packet stays byte for byte as it came.
#pragma once

#include "dataplane/core/hash.hpp"
#include "dataplane/core/next_hop.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/port_facts.hpp"
#include "dataplane/core/snapshot.hpp"

#include <cstdint>
#include <optional>

namespace penstock {

/// The layer-3 bytes that would leave. Padding behind a short packet counts too: drivers refuse a
/// frame by its length.
[[nodiscard]] inline std::uint32_t
sent_length(const Packet& packet, const ParsedPacket& parsed, const BackendEntry& backend) {
    return packet.total_length - parsed.l3 + backend.outer_length;
}

/// Addresses the frame to `hop`, a word of the NextHopTable that is not 0, and, if the backend's
/// rewrite is a tunnel, puts the outer headers before the packet (outer_header.hpp). VLAN tags
/// stay. What leaves may be larger than any MTU: sent_length() tells. Returns why the packet cannot
/// leave, having changed nothing then. REQUIRES: parsed.kind is ipv4 or ipv6.
[[nodiscard]] std::optional<DropReason> rewrite_for_backend(
    Packet& packet,
    const ParsedPacket& parsed,
    const BackendEntry& backend,
    std::uint64_t hop,
    const MacAddress& source_mac,
    FlowHash hash
);

} // namespace penstock
