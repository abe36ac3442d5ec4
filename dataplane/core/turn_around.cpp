// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/turn_around.hpp"

#include "dataplane/core/headers.hpp"

#include <cstring>

namespace penstock {

bool can_be_answered(const Packet& packet, const IpAddress& source, const IpAddress& destination) {
    const bool broadcast = source.is_ipv4() && source.ipv4().raw == UINT32_MAX;
    return !source.is_unspecified() && !source.is_multicast() && !source.is_loopback() &&
           !broadcast && source != destination &&
           !read_header<EthernetHeader>(packet.data).source.is_multicast();
}

Verdict turn_around(Packet& packet, const PortFacts& port) {
    auto ethernet = read_header<EthernetHeader>(packet.data);
    ethernet.destination = ethernet.source;
    ethernet.source = port.mac;
    write_header(packet.data, ethernet);
    return {.kind = VerdictKind::reply, .tx_port = packet.rx_port};
}

void rebuild_frame(Packet& packet, std::uint8_t l3, std::uint8_t* new_l3, std::uint32_t l3_length) {
    std::uint8_t* const data = new_l3 - l3;
    std::memmove(data, packet.data, l3);
    packet.headroom = static_cast<std::uint16_t>(packet.headroom + (data - packet.data));
    packet.data = data;
    packet.length = l3 + l3_length;
    packet.total_length = packet.length;
}

} // namespace penstock
