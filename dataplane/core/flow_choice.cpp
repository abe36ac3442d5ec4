// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/flow_choice.hpp"

#include <algorithm>

namespace penstock {

FlowHash affinity_hash(
    const FlowHasher& hasher, const ServicePolicy& policy, const IpAddress& source, Be16 source_port
) {
    FlowTuple tuple;
    tuple.source = source;
    // The other address is of the same family, so that an IPv4 client takes the short way.
    tuple.destination = source.is_ipv4() ? IpAddress::from_ipv4({0}) : IpAddress{};
    if (policy.affinity == Affinity::client) {
        tuple.source = clear_host_bits(source, policy.affinity_host_bits);
    } else {
        tuple.source_port = source_port;
    }
    return hasher.hash(tuple);
}

FlowHash choice_of(const Snapshot& snapshot, const Packet& packet, const Flow& flow) {
    if ((flow.service->features & feature::affinity) == 0) {
        return flow.hash;
    }
    return affinity_hash(
        snapshot.hasher(),
        *flow.service->policy,
        source_of(packet, flow.parsed),
        flow.parsed.source_port
    );
}

BackendId named_backend(const Snapshot& snapshot, const Packet& packet, const Flow& flow) {
    if ((flow.service->features & feature::quic) == 0) {
        return null_backend;
    }
    const ParsedPacket& parsed = flow.parsed;
    const std::uint32_t begin = std::uint32_t{parsed.l4} + sizeof(UdpHeader);
    const std::uint32_t end = std::min(packet.length, std::uint32_t{parsed.l3} + parsed.l3_length);
    const BackendId named = flow.service->policy->quic->route({packet.data + begin, end - begin});
    const BackendEntry& backend = snapshot.backend(named);
    const bool may_follow =
        backend.in_use && backend.service == flow.service->id && backend.keeps_flows;
    return may_follow ? named : null_backend;
}

IpAddress source_of(const Packet& packet, const ParsedPacket& parsed) {
    const std::uint8_t* const l3 = packet.data + parsed.l3;
    return parsed.kind == PacketKind::ipv4 ? IpAddress::from_ipv4(header_at<Ipv4Header>(l3).source)
                                           : IpAddress::from_ipv6(header_at<Ipv6Header>(l3).source);
}

IpAddress destination_of(const Packet& packet, const ParsedPacket& parsed) {
    const std::uint8_t* const l3 = packet.data + parsed.l3;
    return parsed.kind == PacketKind::ipv4
               ? IpAddress::from_ipv4(header_at<Ipv4Header>(l3).destination)
               : IpAddress::from_ipv6(header_at<Ipv6Header>(l3).destination);
}

} // namespace penstock
