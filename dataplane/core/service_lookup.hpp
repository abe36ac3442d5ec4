// SPDX-License-Identifier: Apache-2.0
// Stage 2: the service of a packet that has a flow's own addresses and ports, and the flow's hash.
//
// In a header because every packet takes this way, right behind the parser: as a call of its own it
// took 79 instructions (docs/performance.md).
//
// Thread rule: pure function of packet and snapshot.
#pragma once

#include "dataplane/core/flow.hpp"
#include "dataplane/core/headers.hpp"

namespace penstock {

/// Finds what stands in the snapshot for this packet's destination, protocol and ports: sets
/// flow.service and flow.hash. False if that is nothing. REQUIRES: flow.parsed is of the packet and
/// no later fragment.
[[nodiscard]] inline bool
look_up_service(const Packet& packet, const Snapshot& snapshot, Flow& flow) {
    const ParsedPacket& parsed = flow.parsed;
    if (parsed.kind == PacketKind::ipv4) [[likely]] {
        const auto& ip = header_at<Ipv4Header>(packet.data + parsed.l3);
        flow.service =
            snapshot.find_service_ipv4(ip.destination, parsed.protocol, parsed.destination_port);
        if (flow.service == nullptr) {
            return false;
        }
        flow.hash = snapshot.hasher().hash_ipv4(
            ip.source, ip.destination, parsed.source_port, parsed.destination_port, parsed.protocol
        );
        return true;
    }
    const auto& ip = header_at<Ipv6Header>(packet.data + parsed.l3);
    flow.service =
        snapshot.find_service_ipv6(ip.destination.data(), parsed.protocol, parsed.destination_port);
    if (flow.service == nullptr) {
        return false;
    }
    flow.hash = snapshot.hasher().hash_ipv6(
        ip.source.data(),
        ip.destination.data(),
        parsed.source_port,
        parsed.destination_port,
        parsed.protocol
    );
    return true;
}

} // namespace penstock
