// SPDX-License-Identifier: Apache-2.0
// Stage 2: the service of a packet that has a flow's own addresses and ports, and the flow's hash.
//
// In a header because every packet takes this way, right behind the parser: as a call of its own it
// took 79 instructions (docs/performance.md).
//
// Thread rule: pure function of packet and snapshot.
#pragma once

#include "dataplane/core/hash.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/snapshot.hpp"

namespace penstock {

/// What stands in the snapshot for a packet; in two registers.
struct ServiceMatch {
    const ServiceEntry* service = nullptr; ///< null: nothing
    FlowHash hash;                         ///< the flow's, if there is a service
};

// All: finds what stands in the snapshot for this packet's destination, protocol and ports. REQUIRES:
// `parsed` is of the packet, of that IP family and no later fragment.

[[nodiscard]] inline ServiceMatch
look_up_ipv4(const Packet& packet, const ParsedPacket& parsed, const Snapshot& snapshot) {
    const auto& ip = header_at<Ipv4Header>(packet.data + parsed.l3);
    const ServiceEntry* const service =
        snapshot.find_service_ipv4(ip.destination, parsed.protocol, parsed.destination_port);
    if (service == nullptr) [[unlikely]] {
        return {};
    }
    const FlowHash hash = snapshot.hasher().hash_ipv4(
        ip.source, ip.destination, parsed.source_port, parsed.destination_port, parsed.protocol
    );
    return {.service = service, .hash = hash};
}

[[nodiscard]] inline ServiceMatch
look_up_ipv6(const Packet& packet, const ParsedPacket& parsed, const Snapshot& snapshot) {
    const auto& ip = header_at<Ipv6Header>(packet.data + parsed.l3);
    const ServiceEntry* const service =
        snapshot.find_service_ipv6(ip.destination.data(), parsed.protocol, parsed.destination_port);
    if (service == nullptr) [[unlikely]] {
        return {};
    }
    const FlowHash hash = snapshot.hasher().hash_ipv6(
        ip.source.data(),
        ip.destination.data(),
        parsed.source_port,
        parsed.destination_port,
        parsed.protocol
    );
    return {.service = service, .hash = hash};
}

[[nodiscard]] inline ServiceMatch
look_up_service(const Packet& packet, const ParsedPacket& parsed, const Snapshot& snapshot) {
    return parsed.kind == PacketKind::ipv4 ? look_up_ipv4(packet, parsed, snapshot)
                                           : look_up_ipv6(packet, parsed, snapshot);
}

} // namespace penstock
