// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/other_packets.hpp"

#include "dataplane/core/flow_choice.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/core/nat_flow.hpp"
#include "dataplane/core/neighbour_answer.hpp"
#include "dataplane/core/quoted_packet.hpp"
#include "dataplane/core/reply.hpp"
#include "dataplane/core/service_lookup.hpp"
#include "dataplane/core/special_flow.hpp"
#include "dataplane/core/tunnel_error.hpp"

#include <algorithm>
#include <span>

namespace penstock {
namespace {

constexpr Verdict kernels{.kind = VerdictKind::kernel};

bool is_icmp(const ParsedPacket& parsed) {
    return parsed.protocol == (parsed.kind == PacketKind::ipv4 ? protocol_icmp : protocol_icmpv6);
}

std::uint8_t icmp_type(const Packet& packet, const ParsedPacket& parsed) {
    return header_at<IcmpHeader>(packet.data + parsed.l4).type;
}

bool is_error(const Packet& packet, const ParsedPacket& parsed) {
    const std::uint8_t type = icmp_type(packet, parsed);
    return parsed.kind == PacketKind::ipv4 ? is_icmpv4_error(type) : is_icmpv6_error(type);
}

bool is_echo_request(const Packet& packet, const ParsedPacket& parsed) {
    const auto& icmp = header_at<IcmpHeader>(packet.data + parsed.l4);
    return icmp.code == 0 &&
           icmp.type == (parsed.kind == PacketKind::ipv4 ? IcmpHeader::echo_request
                                                         : IcmpHeader::v6_echo_request);
}

bool is_neighbour_solicitation(const Packet& packet, const ParsedPacket& parsed) {
    return parsed.kind == PacketKind::ipv6 && parsed.protocol == protocol_icmpv6 &&
           !parsed.fragment && icmp_type(packet, parsed) == IcmpHeader::v6_neighbour_solicitation;
}

// An ICMP error to a VIP belongs to the flow whose packet it quotes: that packet went from the VIP
// to the client, so its addresses and ports are the flow's, exchanged.
std::optional<Verdict>
find_quoted_flow(const Packet& packet, const Snapshot& snapshot, Flow& flow) {
    const ParsedPacket& parsed = flow.parsed;
    const std::uint32_t end = std::min(packet.length, std::uint32_t{parsed.l3} + parsed.l3_length);
    const std::span<const std::uint8_t> message(packet.data + parsed.l4, end - parsed.l4);
    const Family family = parsed.kind == PacketKind::ipv4 ? Family::ipv4 : Family::ipv6;
    const auto quoted = parse_quoted(message.subspan(sizeof(IcmpHeader)), family);
    if (!quoted || quoted->source != destination_of(packet, parsed)) {
        return drop(DropReason::bad_icmp_error);
    }
    flow.service = family == Family::ipv4
                       ? snapshot.find_service_ipv4(
                             quoted->source.ipv4(), quoted->protocol, quoted->source_port
                         )
                       : snapshot.find_service_ipv6(
                             quoted->source.bytes().data(), quoted->protocol, quoted->source_port
                         );
    if (flow.service == nullptr) {
        return drop(DropReason::no_service);
    }
    flow.role = FlowRole::quoting;
    flow.hash = snapshot.hasher().hash({
        .source = quoted->destination,
        .destination = quoted->source,
        .source_port = quoted->destination_port,
        .destination_port = quoted->source_port,
        .protocol = quoted->protocol,
    });
    flow.choice = (flow.service->features & feature::affinity) != 0 ? affinity_hash(
                                                                          snapshot.hasher(),
                                                                          *flow.service->policy,
                                                                          quoted->destination,
                                                                          quoted->destination_port
                                                                      )
                                                                    : flow.hash;
    return std::nullopt;
}

std::optional<Verdict> follow_first_fragment(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    const Packet& packet,
    Flow& flow
) {
    const FlowHash datagram = hash_datagram(snapshot.hasher(), packet, flow.parsed);
    const BackendId found = find_datagram(worker, datagram);
    const BackendEntry& backend = snapshot.backend(found);
    if (found == null_backend || !backend.in_use) {
        if (packet.was_held) {
            return drop(DropReason::fragment_without_first);
        }
        const auto slot = worker.fragments.hold(datagram, now);
        return slot ? Verdict{.kind = VerdictKind::hold, .held = *slot}
                    : drop(DropReason::fragment_early_full);
    }
    flow.service = snapshot.service(backend.service);
    if (flow.service == nullptr) {
        return drop(DropReason::no_service);
    }
    flow.role = FlowRole::later_fragment;
    flow.backend = found;
    flow.hash = datagram;
    return std::nullopt;
}

// A first fragment is decided before the burst's other flows: the rest of its datagram may come in
// the same burst and must find it.
std::optional<Verdict> decide_first_fragment(
    WorkerContext& worker, const Snapshot& snapshot, CoarseTime now, Packet& packet, Flow& flow
) {
    Verdict verdict;
    flow.is_hit = choose_specially(worker, snapshot, now, packet, flow, verdict);
    if (flow.has_verdict) {
        worker.stats.services[flow.service->id.value].dropped_packets.add(1);
        verdict.service = flow.service->id;
        return verdict;
    }
    flow.is_chosen = true;
    if (flow.backend != null_backend) {
        const FlowHash datagram = hash_datagram(snapshot.hasher(), packet, flow.parsed);
        worker.fragments.remember(datagram, flow.backend, now);
    }
    return std::nullopt;
}

std::optional<Verdict> decide_for_vip(
    WorkerContext& worker, const Snapshot& snapshot, CoarseTime now, Packet& packet, Flow& flow
) {
    const ParsedPacket& parsed = flow.parsed;
    if (parsed.later_fragment) {
        return follow_first_fragment(worker, snapshot, now, packet, flow);
    }
    if (!is_icmp(parsed)) {
        return drop(DropReason::no_service);
    }
    if (parsed.fragment) {
        // Echo in pieces would have to be put together to be answered, errors are never so large.
        return drop(DropReason::unhandled_icmp);
    }
    if (is_echo_request(packet, parsed)) {
        return answer_echo(packet, parsed, worker.ports[packet.rx_port.value]);
    }
    if (is_error(packet, parsed)) {
        return find_quoted_flow(packet, snapshot, flow);
    }
    return drop(DropReason::unhandled_icmp);
}

std::optional<Verdict> decide_ip(
    WorkerContext& worker, const Snapshot& snapshot, CoarseTime now, Packet& packet, Flow& flow
) {
    const ParsedPacket& parsed = flow.parsed;
    if (is_neighbour_solicitation(packet, parsed)) {
        const PortFacts& port = worker.ports[packet.rx_port.value];
        return answer_neighbour_solicitation(packet, parsed, port, snapshot);
    }
    const IpAddress destination = destination_of(packet, parsed);
    if (snapshot.is_vip(destination)) {
        return decide_for_vip(worker, snapshot, now, packet, flow);
    }
    if (snapshot.is_nat_source(destination)) {
        return take_nat_reply(worker, snapshot, now, packet, parsed);
    }
    if (is_icmp(parsed) && !parsed.fragment && snapshot.is_tunnel_source(destination) &&
        is_error(packet, parsed)) {
        return take_tunnel_error(worker, snapshot, now, packet, parsed);
    }
    return kernels;
}

} // namespace

BackendId find_datagram(const WorkerContext& worker, FlowHash datagram) {
    const BackendId own = worker.fragments.find(datagram);
    if (own != null_backend) {
        return own;
    }
    for (const WorkerTables& sibling : worker.siblings) {
        const BackendId found = sibling.fragments->find(datagram);
        if (found != null_backend) {
            return found;
        }
    }
    return null_backend;
}

FlowHash hash_datagram(const FlowHasher& hasher, const Packet& packet, const ParsedPacket& parsed) {
    return hasher.hash({
        .source = source_of(packet, parsed),
        .destination = destination_of(packet, parsed),
        .source_port = {static_cast<std::uint16_t>(parsed.fragment_id)},
        .destination_port = {static_cast<std::uint16_t>(parsed.fragment_id >> 16U)},
        // IPv6 does not count it in (RFC 8200 4.5), and its later fragments need not even name it.
        .protocol = parsed.kind == PacketKind::ipv4 ? parsed.protocol : std::uint8_t{0},
    });
}

std::optional<Verdict> decide_other(
    WorkerContext& worker, const Snapshot& snapshot, CoarseTime now, Packet& packet, Flow& flow
) {
    const ParsedPacket& parsed = flow.parsed;
    switch (parsed.kind) {
    case PacketKind::malformed:
        return drop(parsed.error);
    case PacketKind::other:
        return kernels;
    case PacketKind::arp:
        return answer_arp(packet, parsed, worker.ports[packet.rx_port.value], snapshot);
    case PacketKind::ipv4:
    case PacketKind::ipv6:
        break;
    }
    if (parsed.fragment && !parsed.later_fragment && !is_icmp(parsed)) {
        const ServiceMatch match = look_up_service(packet, parsed, snapshot);
        if (match.service != nullptr) {
            flow.service = match.service;
            flow.hash = match.hash;
            flow.role = FlowRole::first_fragment;
            return decide_first_fragment(worker, snapshot, now, packet, flow);
        }
    }
    return decide_ip(worker, snapshot, now, packet, flow);
}

} // namespace penstock
