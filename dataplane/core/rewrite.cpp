// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/rewrite.hpp"

#include "dataplane/core/headers.hpp"
#include "dataplane/core/outer_header.hpp"

namespace penstock {

std::optional<DropReason> rewrite_for_backend(
    Packet& packet,
    const ParsedPacket& parsed,
    const BackendEntry& backend,
    std::uint64_t hop,
    const MacAddress& source_mac,
    FlowHash hash
) {
    if (backend.outer_length > packet.headroom) {
        return DropReason::no_headroom;
    }
    std::uint8_t* const old_data = packet.data;
    std::uint8_t* const data = old_data - backend.outer_length;
    if (backend.outer_length != 0) {
        // The addresses are written anew below and the EtherType here; only VLAN tags move.
        if (parsed.l3 != sizeof(EthernetHeader)) [[unlikely]] {
            constexpr std::size_t addresses = 2 * sizeof(MacAddress);
            std::memmove(data + addresses, old_data + addresses, parsed.l3 - addresses);
        }
        write_header(
            data + parsed.l3 - sizeof(Be16),
            backend.rewrite == Rewrite::tunnel_ipv4 ? ethertype_ipv4 : ethertype_ipv6
        );
        write_outer(old_data + parsed.l3, parsed.l3_length, packet, parsed, backend, hash);
        prepend(packet, backend.outer_length);
    }
    NextHopTable::write_mac(hop, data);
    write_header(data + sizeof(MacAddress), source_mac);
    return std::nullopt;
}

} // namespace penstock
