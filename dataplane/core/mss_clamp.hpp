// SPDX-License-Identifier: Apache-2.0
// Lowers the largest segment that a TCP SYN announces (RFC 9293 3.7.1), for clients whose path loses
// the messages that would tell them of a smaller MTU.
//
// Thread rule: a pure edit of one packet.
#pragma once

#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"

#include <cstdint>

namespace penstock {

/// Lowers the MSS option to `mss` if it is larger, and mends the TCP checksum by the difference
/// (RFC 1624): a wrong one stays wrong. A SYN without the option is left alone: the default of 536
/// or 1,220 bytes is small enough. Options beyond the contiguous part of the packet, or malformed
/// ones, end the search. REQUIRES: TCP, no later fragment.
void clamp_mss(Packet& packet, const ParsedPacket& parsed, std::uint16_t mss);

} // namespace penstock
