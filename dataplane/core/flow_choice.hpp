// SPDX-License-Identifier: Apache-2.0
// What decides the backend of a flow: its entry while that may be followed, else a slot of the
// service's table. The pipeline, `explain` and the simulator ask the same questions here.
//
// Thread rule: pure functions.
#pragma once

#include "dataplane/core/flow.hpp"
#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/hash.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/snapshot.hpp"

namespace penstock {

[[nodiscard]] inline bool opens_connection(const ParsedPacket& parsed) {
    constexpr std::uint8_t deciding = TcpHeader::syn | TcpHeader::ack | TcpHeader::rst;
    return parsed.protocol == protocol_tcp && (parsed.tcp_flags & deciding) == TcpHeader::syn;
}

[[nodiscard]] inline bool resets_connection(const ParsedPacket& parsed) {
    return parsed.protocol == protocol_tcp && (parsed.tcp_flags & TcpHeader::rst) != 0;
}

/// The state of an entry that this packet makes.
[[nodiscard]] inline FlowState first_state(const ParsedPacket& parsed) {
    if (parsed.protocol != protocol_tcp) {
        return FlowState::udp;
    }
    if ((parsed.tcp_flags & (TcpHeader::fin | TcpHeader::rst)) != 0) {
        return FlowState::tcp_closing;
    }
    return opens_connection(parsed) ? FlowState::tcp_syn : FlowState::tcp_established;
}

/// The state after this packet. A closing flow stays so: the ACKs after a FIN are no new life. A
/// repeated SYN proves nothing new.
[[nodiscard]] inline FlowState next_state(FlowState state, const ParsedPacket& parsed) {
    if (state == FlowState::tcp_closing || opens_connection(parsed)) {
        return state;
    }
    return first_state(parsed);
}

/// The backend of a new flow, or null_backend if the service has none that takes one. `choice`: the
/// flow's hash, or affinity_hash().
[[nodiscard]] inline BackendId choose_backend(const ServiceEntry& service, FlowHash choice) {
    if (service.slots == nullptr) {
        return null_backend;
    }
    return {service.slots[choice.choose_slot(service.slot_count)]};
}

/// Brings near what choose_backend() will read.
inline void prefetch_backend(const ServiceEntry& service, FlowHash choice) {
    if (service.slots != nullptr) {
        __builtin_prefetch(&service.slots[choice.choose_slot(service.slot_count)]);
    }
}

/// A SYN on an entry keeps its backend unless that takes no new flows or the old connection is
/// ending: otherwise the reuse of a port would hold a drain for ever.
[[nodiscard]] inline bool
follows_entry(const FlowEntry& entry, const BackendEntry& backend, const ParsedPacket& parsed) {
    if (!backend.keeps_flows) {
        return false;
    }
    return !opens_connection(parsed) ||
           (backend.takes_new_flows && entry.state != FlowState::tcp_closing);
}

/// What the service chooses by, if it has feature::affinity: the hash of the part of the tuple that
/// its policy names; what it leaves out counts as 0. `source`: the client's address, which for an
/// ICMP error is not that of the packet.
[[nodiscard]] FlowHash affinity_hash(
    const FlowHasher& hasher, const ServicePolicy& policy, const IpAddress& source, Be16 source_port
);

/// What the flow's backend is chosen by: its hash, or affinity_hash().
[[nodiscard]] FlowHash choice_of(const Snapshot& snapshot, const Packet& packet, const Flow& flow);

/// The backend that the packet itself names by a QUIC connection id, if the service has
/// feature::quic and that backend keeps flows; else null_backend. `flow` is the packet's.
[[nodiscard]] BackendId
named_backend(const Snapshot& snapshot, const Packet& packet, const Flow& flow);

/// `named`, or if that is null_backend a slot of the service's table.
[[nodiscard]] inline BackendId choose_new_backend(
    const Snapshot& snapshot, const Packet& packet, const Flow& flow, BackendId named
) {
    return named != null_backend ? named
                                 : choose_backend(*flow.service, choice_of(snapshot, packet, flow));
}

/// The client's address of a packet that has the flow's own addresses. REQUIRES: ipv4 or ipv6.
[[nodiscard]] IpAddress source_of(const Packet& packet, const ParsedPacket& parsed);

/// Where it is sent.
[[nodiscard]] IpAddress destination_of(const Packet& packet, const ParsedPacket& parsed);

} // namespace penstock
