// SPDX-License-Identifier: Apache-2.0
// The tuples of a NAT flow's packets on each of its legs, and to whom a packet is handed over.
//
// Thread rule: pure functions.
#pragma once

#include "dataplane/core/flow_choice.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/core/nat_state.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/quoted_packet.hpp"

#include <algorithm>
#include <optional>
#include <span>

namespace penstock {

/// REQUIRES: parsed is of the packet, which is IP.
[[nodiscard]] inline FlowTuple tuple_of(const Packet& packet, const ParsedPacket& parsed) {
    return {
        .source = source_of(packet, parsed),
        .destination = destination_of(packet, parsed),
        .source_port = parsed.source_port,
        .destination_port = parsed.destination_port,
        .protocol = parsed.protocol,
    };
}

[[nodiscard]] inline FlowTuple tuple_of(const QuotedPacket& quoted) {
    return {
        .source = quoted.source,
        .destination = quoted.destination,
        .source_port = quoted.source_port,
        .destination_port = quoted.destination_port,
        .protocol = quoted.protocol,
    };
}

[[nodiscard]] inline FlowTuple reversed(const FlowTuple& tuple) {
    return {
        .source = tuple.destination,
        .destination = tuple.source,
        .source_port = tuple.destination_port,
        .destination_port = tuple.source_port,
        .protocol = tuple.protocol,
    };
}

/// As the client's packets come to us.
[[nodiscard]] inline FlowTuple client_to_vip(const NatFlow& flow) {
    return {
        .source = flow.client,
        .destination = flow.vip,
        .source_port = flow.client_port,
        .destination_port = flow.vip_port,
        .protocol = flow.protocol,
    };
}

/// As they go on to the server.
[[nodiscard]] inline FlowTuple source_to_server(const NatFlow& flow) {
    return {
        .source = flow.source,
        .destination = flow.server,
        .source_port = flow.source_port,
        .destination_port = flow.server_port,
        .protocol = flow.protocol,
    };
}

/// The TCP or UDP packet that an ICMP error quotes. REQUIRES: parsed is of the packet, an ICMP
/// error and no fragment.
[[nodiscard]] inline std::optional<QuotedPacket>
quoted_in(const Packet& packet, const ParsedPacket& parsed) {
    const std::uint32_t end = std::min(packet.length, std::uint32_t{parsed.l3} + parsed.l3_length);
    const std::span<const std::uint8_t> message(packet.data + parsed.l4, end - parsed.l4);
    const Family family = parsed.kind == PacketKind::ipv4 ? Family::ipv4 : Family::ipv6;
    const auto quoted = parse_quoted(message.subspan(sizeof(IcmpHeader)), family);
    const bool has_ports =
        quoted && (quoted->protocol == protocol_tcp || quoted->protocol == protocol_udp);
    return has_ports ? quoted : std::nullopt;
}

[[nodiscard]] inline Verdict hand_over_to(std::size_t worker) {
    return {.kind = VerdictKind::hand_over, .worker = static_cast<std::uint8_t>(worker)};
}

/// To the next worker that has not seen the packet; a drop for `reason` if all have.
[[nodiscard]] inline Verdict pass_on(const NatState& nat, const Packet& packet, DropReason reason) {
    if (packet.hand_overs + 1U < nat.workers) {
        return hand_over_to((nat.worker + 1) % nat.workers);
    }
    return {.kind = VerdictKind::drop, .reason = reason};
}

} // namespace penstock
