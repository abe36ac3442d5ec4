// SPDX-License-Identifier: Apache-2.0
// Answers to who asks after a VIP: ARP and echo. VIPs belong to no kernel, so nobody else answers
// (docs/concepts.md).
//
// Thread rule: pure edits of one packet. A packet that is not answered is left as it came.
#pragma once

#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/port_facts.hpp"
#include "dataplane/core/snapshot.hpp"

namespace penstock {

/// Decides an ARP packet (RFC 826): a request for a VIP becomes the answer with the MAC of `port`;
/// what is no business of a VIP is the kernel's.
[[nodiscard]] Verdict answer_arp(
    Packet& packet, const ParsedPacket& parsed, const PortFacts& port, const Snapshot& snapshot
);

/// An echo request to a VIP (RFC 792, RFC 4443 4.1) becomes its reply, with TTL 64 and the addresses
/// exchanged. REQUIRES: parsed.kind is ipv4 or ipv6, and the packet is an echo request of that
/// family, no fragment.
[[nodiscard]] Verdict
answer_echo(Packet& packet, const ParsedPacket& parsed, const PortFacts& port);

} // namespace penstock
