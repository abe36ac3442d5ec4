// SPDX-License-Identifier: Apache-2.0
// The servers' side of nat_flow.hpp.
#include "dataplane/core/cut.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/core/nat_flow.hpp"
#include "dataplane/core/nat_rewrite.hpp"
#include "dataplane/core/nat_state.hpp"
#include "dataplane/core/nat_state_change.hpp"
#include "dataplane/core/nat_tuples.hpp"
#include "dataplane/core/other_packets.hpp"
#include "dataplane/core/too_big_answer.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

namespace penstock {
namespace {

bool is_error(const Packet& packet, const ParsedPacket& parsed) {
    const bool ipv4 = parsed.kind == PacketKind::ipv4;
    if (parsed.fragment || parsed.protocol != (ipv4 ? protocol_icmp : protocol_icmpv6)) {
        return false;
    }
    const std::uint8_t type = header_at<IcmpHeader>(packet.data + parsed.l4).type;
    return ipv4 ? is_icmpv4_error(type) : is_icmpv6_error(type);
}

// Gives the frame the layer 2 that the client's last one had, the other way round. REQUIRES: there
// is room for it before layer 3.
void set_client_path(
    Packet& packet, std::uint8_t l3, const ClientPath& path, const MacAddress& our_mac
) {
    const std::uint32_t length = sizeof(EthernetHeader) + path.tag_bytes;
    const auto ethertype = read_header<Be16>(packet.data + l3 - sizeof(Be16));
    std::uint8_t* const data = packet.data + l3 - length;
    write_header(data, path.mac);
    write_header(data + sizeof(MacAddress), our_mac);
    std::memcpy(data + (2 * sizeof(MacAddress)), path.tags.data(), path.tag_bytes);
    write_header(data + length - sizeof(Be16), ethertype);
    packet.data = data;
    packet.length = packet.length - l3 + length;
    packet.total_length = packet.total_length - l3 + length;
    packet.headroom = static_cast<std::uint16_t>(packet.headroom + l3 - length);
}

// A reply that is larger than the client's port takes: the server is told, or it leaves in pieces.
// Nothing: it may leave.
std::optional<Verdict> check_size(
    WorkerContext& worker,
    CoarseTime now,
    Packet& packet,
    const ParsedPacket& parsed,
    std::uint16_t mtu,
    std::uint16_t& cut_mtu
) {
    if (packet.total_length - parsed.l3 <= mtu) {
        return std::nullopt;
    }
    if (may_be_cut(packet, parsed)) {
        cut_mtu = mtu;
        return std::nullopt;
    }
    const PortFacts& port = worker.ports[packet.rx_port.value];
    return decide_too_big(packet, parsed, port, mtu, worker.too_big_budget, now);
}

Verdict count_refused(WorkerContext& worker, const NatFlow& flow, Verdict verdict) {
    worker.stats.services[flow.service.value].dropped_packets.add(1);
    verdict.service = flow.service;
    verdict.backend = flow.backend;
    return verdict;
}

// Sends a packet of `flow` to the client. `edit()` changes its layers 3 and 4.
template <typename Edit>
Verdict send_to_client(
    WorkerContext& worker,
    CoarseTime now,
    const NatFlow& flow,
    Packet& packet,
    const ParsedPacket& parsed,
    Edit&& edit
) {
    const PortFacts& port = worker.ports[flow.path.port.value];
    Verdict verdict{
        .kind = VerdictKind::forward,
        .tx_port = flow.path.port,
        .service = flow.service,
        .backend = flow.backend,
    };
    if (const auto other = check_size(worker, now, packet, parsed, port.mtu, verdict.cut_mtu)) {
        return count_refused(worker, flow, *other);
    }
    const std::uint32_t needed = sizeof(EthernetHeader) + flow.path.tag_bytes;
    if (needed > std::uint32_t{parsed.l3} + packet.headroom) {
        return count_refused(worker, flow, drop(DropReason::no_headroom));
    }
    edit();
    set_client_path(packet, parsed.l3, flow.path, port.mac);
    worker.stats.worker->nat_replies.add(1);
    return verdict;
}

Verdict take_error(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    Packet& packet,
    const ParsedPacket& parsed
) {
    const NatState& nat = *worker.nat;
    const auto quoted = quoted_in(packet, parsed);
    if (!quoted || quoted->source != destination_of(packet, parsed)) {
        return drop(DropReason::bad_icmp_error);
    }
    const std::size_t owner = owner_of_port(quoted->source_port.host(), nat.workers);
    if (owner != nat.worker) {
        return hand_over_to(owner);
    }
    const FlowTuple reply = reversed(tuple_of(*quoted));
    const NatFlow* const flow = nat.flows.find_reply(snapshot.hasher().hash(reply), reply);
    if (flow == nullptr) {
        return drop(DropReason::nat_no_flow);
    }
    const FlowTuple back = reversed(client_to_vip(*flow));
    return send_to_client(worker, now, *flow, packet, parsed, [&] {
        rewrite_error(packet, parsed, *quoted, back, reversed(back));
    });
}

Verdict take_later_fragment(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    Packet& packet,
    const ParsedPacket& parsed
) {
    NatState& nat = *worker.nat;
    const FlowHash datagram = hash_datagram(snapshot.hasher(), packet, parsed);
    const auto index = nat.fragments.find(datagram, now);
    NatFlow* const flow = index ? nat.flows.at(*index) : nullptr;
    if (flow != nullptr && flow->server == source_of(packet, parsed) &&
        flow->source == destination_of(packet, parsed)) {
        flow->last_seen = now;
        return send_to_client(worker, now, *flow, packet, parsed, [&] {
            rewrite_tuple(packet, parsed, reversed(client_to_vip(*flow)));
        });
    }
    // Its first one came to the port's owner, or has not come yet.
    if (find_datagram(worker, datagram) != null_backend || packet.was_held) {
        return pass_on(nat, packet, DropReason::fragment_without_first);
    }
    const auto slot = worker.fragments.hold(datagram, now);
    return slot ? Verdict{.kind = VerdictKind::hold, .held = *slot}
                : drop(DropReason::fragment_early_full);
}

} // namespace

Verdict take_nat_reply(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    Packet& packet,
    const ParsedPacket& parsed
) {
    NatState& nat = *worker.nat;
    if (is_error(packet, parsed)) {
        return take_error(worker, snapshot, now, packet, parsed);
    }
    if (parsed.later_fragment) {
        return take_later_fragment(worker, snapshot, now, packet, parsed);
    }
    if (parsed.protocol != protocol_tcp && parsed.protocol != protocol_udp) {
        return drop(DropReason::nat_no_flow);
    }
    const std::size_t owner = owner_of_port(parsed.destination_port.host(), nat.workers);
    if (owner != nat.worker) {
        return hand_over_to(owner);
    }
    const FlowTuple tuple = tuple_of(packet, parsed);
    NatFlow* const flow = nat.flows.find_reply(snapshot.hasher().hash(tuple), tuple);
    if (flow == nullptr) {
        return drop(DropReason::nat_no_flow);
    }
    note_packet(*flow, parsed, NatDirection::from_server, now);
    if (parsed.fragment) {
        const FlowHash datagram = hash_datagram(snapshot.hasher(), packet, parsed);
        nat.fragments.remember(datagram, nat.flows.index_of(*flow), now);
        worker.fragments.remember(datagram, flow->backend, now);
    }
    return send_to_client(worker, now, *flow, packet, parsed, [&] {
        rewrite_tuple(packet, parsed, reversed(client_to_vip(*flow)));
    });
}

} // namespace penstock
