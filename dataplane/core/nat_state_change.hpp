// SPDX-License-Identifier: Apache-2.0
// What a packet does to the state of a NAT flow. Both directions are seen here, so a connection is
// closing when both ends have finished or one has reset it: a half-closed one that still carries data
// stays established.
//
// Thread rule: pure functions of the entry.
#pragma once

#include "dataplane/core/flow_choice.hpp"
#include "dataplane/core/nat_table.hpp"
#include "dataplane/core/parse.hpp"

namespace penstock {

enum class NatDirection : std::uint8_t { from_client, from_server };

inline void
note_packet(NatFlow& flow, const ParsedPacket& parsed, NatDirection direction, CoarseTime now) {
    flow.last_seen = now;
    if (parsed.protocol != protocol_tcp) {
        return;
    }
    const bool from_client = direction == NatDirection::from_client;
    const bool is_syn = (parsed.tcp_flags & TcpHeader::syn) != 0;
    if (from_client && !is_syn && flow.state == FlowState::tcp_syn) {
        flow.state = FlowState::tcp_established;
    }
    flow.server_answered = flow.server_answered || (!from_client && !is_syn);
    if ((parsed.tcp_flags & TcpHeader::fin) != 0) {
        flow.client_finished = flow.client_finished || from_client;
        flow.server_finished = flow.server_finished || !from_client;
    }
    const bool both_finished = flow.client_finished && flow.server_finished;
    if (both_finished || (parsed.tcp_flags & TcpHeader::rst) != 0) {
        flow.state = FlowState::tcp_closing;
    }
}

} // namespace penstock
