// SPDX-License-Identifier: Apache-2.0
// What NAT changes in a packet: its addresses and ports, or those of the packet that an ICMP error
// quotes, and every checksum over them, by difference (checksum_change.hpp).
//
// TTL, DSCP, ECN, options and payload stay: the VIP is where the client's path ends, and whoever
// comes behind decrements for itself.
//
// Thread rule: pure edits of one packet, never longer or shorter.
#pragma once

#include "dataplane/core/hash.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/quoted_packet.hpp"

#include <cstdint>

namespace penstock {

/// Gives the packet the addresses and ports of `tuple`, whose protocol is not looked at. The UDP
/// checksum 0 of IPv4 stays 0. Of a later fragment only the addresses change: its first one brings
/// the checksum. REQUIRES: parsed is of the packet, which is TCP or UDP of the family of `tuple`.
void rewrite_tuple(const Packet& packet, const ParsedPacket& parsed, const FlowTuple& tuple);

/// The same for an ICMP error: `outer` are the new addresses of the packet itself, `inner` the new
/// addresses and ports of the one that it quotes, whose checksums are corrected as far as they are
/// quoted. REQUIRES: parsed is of the packet, an ICMP error and no fragment; `quoted` is
/// parse_quoted() of what follows its ICMP header, TCP or UDP; all of one family.
void rewrite_error(
    const Packet& packet,
    const ParsedPacket& parsed,
    const QuotedPacket& quoted,
    const FlowTuple& outer,
    const FlowTuple& inner
);

} // namespace penstock
