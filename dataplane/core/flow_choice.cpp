// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/flow_choice.hpp"

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
