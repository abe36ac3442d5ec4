// SPDX-License-Identifier: Apache-2.0
// Answers neighbour solicitations for IPv6 VIPs, as ARP is answered for the others (reply.hpp).
//
// Thread rule: pure edits of one packet. A packet that is not answered is left as it came.
#pragma once

#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/port_facts.hpp"
#include "dataplane/core/snapshot.hpp"

namespace penstock {

/// Decides an ICMPv6 neighbour solicitation (RFC 4861 7.2): one for a VIP becomes the advertisement
/// with the MAC of `port`, solicited and overriding, or, if it asks from the unspecified address
/// whether the VIP is free, one to all nodes (7.2.4); one that breaks 7.1.1 is dropped; one for
/// another address is the kernel's. REQUIRES: parsed.kind is ipv6, parsed.protocol is ICMPv6, its
/// type is that of a solicitation, and it is no fragment.
[[nodiscard]] Verdict answer_neighbour_solicitation(
    Packet& packet, const ParsedPacket& parsed, const PortFacts& port, const Snapshot& snapshot
);

} // namespace penstock
