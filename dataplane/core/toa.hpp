// SPDX-License-Identifier: Apache-2.0
// TCP option address: the client's address and port in an option, for servers behind NAT that read
// it (the `toa` kernel modules of LVS and DPVS).
//
//   IPv4  [254][ 8][port][address 4]        IPv6  [254][20][port][address 16]
//
// The module reads it from the segment that completes the handshake, and takes the first option of
// this kind. So ours goes in front of all others, and one that the client sent is blanked out: else
// a client could name any address as its own. A segment whose client option cannot be replaced by
// ours keeps none.
//
// Thread rule: pure edits of one packet.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"

#include <cstdint>

namespace penstock {

inline constexpr std::uint8_t toa_kind = 254;
inline constexpr std::uint32_t toa_ipv4_bytes = 8;
inline constexpr std::uint32_t toa_ipv6_bytes = 20;

/// Overwrites every option of kind 254 by no-operations and corrects the checksum.
/// REQUIRES: parsed is of the packet, which is TCP, no later fragment, its header contiguous.
void blank_toa(const Packet& packet, const ParsedPacket& parsed);

/// Puts the option in, growing the packet into its headroom, and corrects lengths and checksums.
/// False, and nothing changed, if there is no room: in the TCP header, the headroom, or in `mtu`
/// (layer-3 bytes). The offsets of `parsed` stay true, its length does not. REQUIRES: as
/// blank_toa(), and no fragment.
bool add_toa(
    Packet& packet,
    const ParsedPacket& parsed,
    const IpAddress& client,
    Be16 client_port,
    std::uint32_t mtu
);

} // namespace penstock
