// SPDX-License-Identifier: Apache-2.0
// The outer headers of tunnels: what is the same for every packet of a backend is written once, at
// compile time, into its entry; write_outer() fills in the rest.
//
//   ipip  [IPv4 | IPv6][packet]                       RFC 2003, 2473, 4213
//   gre   [IPv4 | IPv6][GRE 4][packet]                RFC 2784, RFC 7676; no options
//   gue 0 [IPv4 | IPv6][UDP 8][GUE 4][packet]         draft-ietf-intarea-gue-09 3.2; no options
//   gue 1 [IPv4 | IPv6][UDP 8][packet]                the same, 4: the packet's version tells it
//
// Thread rule: pure functions.
#pragma once

#include "dataplane/core/desired_state.hpp"
#include "dataplane/core/hash.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/snapshot.hpp"
#include "dataplane/core/tunnel_kind.hpp"

#include <cstdint>

namespace penstock {

/// The first word of an outer IPv6 header: version, traffic class, and the flow's label (RFC 6438),
/// so that routers spread flows although the addresses are few.
[[nodiscard]] inline Be32 version_class_flow(std::uint8_t tos, FlowHash hash) {
    const auto label = static_cast<std::uint32_t>(hash.value >> 12U) & 0xfffffU;
    return Be32::from_host((std::uint32_t{6} << 28U) | (std::uint32_t{tos} << 20U) | label);
}

/// Bytes that a tunnel of this kind over this outer family adds: 20 … 52.
[[nodiscard]] std::uint8_t outer_header_bytes(const TunnelKind& kind, Family outer);

/// Fills `entry`'s tunnel fields. REQUIRES: `source` and `destination` are of one family.
void fill_outer(
    BackendEntry& entry,
    const TunnelKind& kind,
    Family inner,
    const IpPrefix& source,
    const IpAddress& destination
);

/// Writes the outer headers of `backend` to the `backend.outer_length` bytes before the packet's
/// layer 3, which begins at `inner`, and whose `inner_length` bytes travel inside. TTL 64; DF is
/// always set (docs/design/sizes.md); DSCP and ECN are copied (RFC 6040 4.1, normal mode). From
/// `hash`: the host bits of the source, the flow label (RFC 6438), GUE's source port (49152 …
/// 65535). GUE's UDP checksum is 0 over IPv4, and over IPv6 it is right: where the inner TCP or UDP
/// checksum can be trusted to be right it follows from the headers (as Linux's local checksum
/// offload does), else the payload is summed; a payload that lies in later segments gives 0
/// (RFC 6935). REQUIRES: backend.rewrite is tunnel_ipv4 or tunnel_ipv6.
void write_outer(
    std::uint8_t* inner,
    std::uint32_t inner_length,
    const Packet& packet,
    const ParsedPacket& parsed,
    const BackendEntry& backend,
    FlowHash hash
);

} // namespace penstock
