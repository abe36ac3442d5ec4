// SPDX-License-Identifier: Apache-2.0
// Packets of several segments whose headers do not stand in the first: the core reads headers from
// contiguous bytes only.
//
// Thread rule: an edit of one packet, by the worker that has it; frees into its pool, allocates
// nothing.
#pragma once

#include <cstdint>

struct rte_mbuf;

namespace penstock {

/// More than all headers that the core reads: Ethernet with two tags, IPv6 with extensions, an
/// ICMP error with the packet that it quotes, and what that carries.
inline constexpr std::uint16_t gathered_bytes = 256;

/// Moves bytes of later segments behind the first one's until it holds `gathered_bytes`, or all
/// there are, or has no room. A driver that fills buffers needs this never: only short first
/// segments do, and those have room. Emptied segments are freed.
void gather_headers(rte_mbuf& packet);

} // namespace penstock
