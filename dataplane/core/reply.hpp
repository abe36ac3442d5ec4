// SPDX-License-Identifier: Apache-2.0
// The packets to a VIP that we answer ourselves: ARP requests and ICMP echo. VIPs belong to no
// kernel, so nobody else would.
//
// Thread rule: pure edits of one packet. An answer is never longer than its question.
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

/// Decides an IPv4 ICMP packet to a VIP: an echo request (RFC 792) becomes its reply, with TTL 64
/// and the addresses exchanged; every other message is a drop with its reason. REQUIRES: no
/// fragment.
[[nodiscard]] Verdict
answer_icmp(Packet& packet, const ParsedPacket& parsed, const PortFacts& port);

} // namespace penstock
