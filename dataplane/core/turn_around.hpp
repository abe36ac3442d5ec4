// SPDX-License-Identifier: Apache-2.0
// What every answer has in common: a source that may be answered, and a frame that goes back to
// where it came from.
//
// Thread rule: pure edits of one packet.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/port_facts.hpp"

namespace penstock {

/// False for sources that an answer must not be sent to: unspecified, multicast, broadcast, loopback,
/// the VIP itself (a LAND packet), or a group's MAC (RFC 1122 3.2.2.6, RFC 4443 2.4 e).
[[nodiscard]] bool
can_be_answered(const Packet& packet, const IpAddress& source, const IpAddress& destination);

/// Exchanges the frame's MAC addresses, ours as its source; VLAN tags stay. Returns the verdict.
Verdict turn_around(Packet& packet, const PortFacts& port);

/// Moves what stands before layer 3 (Ethernet, VLAN tags: `l3` bytes) so that it ends at `new_l3`,
/// and makes the packet begin there and be `l3_length` bytes long behind it. REQUIRES: new_l3 - l3
/// lies in the packet or its headroom, and all of the new packet in its first segment.
void rebuild_frame(Packet& packet, std::uint8_t l3, std::uint8_t* new_l3, std::uint32_t l3_length);

} // namespace penstock
