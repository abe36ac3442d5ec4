// SPDX-License-Identifier: Apache-2.0
// The 802.1Q tag of a port that stands in one VLAN (`vlan` of [[dataplane.port]]): where it stands in
// a frame's bytes. Taking it off and putting it on is the caller's: it owns the memory.
//
// Thread rule: pure functions of their arguments.
#pragma once

#include "dataplane/core/headers.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace penstock {

/// Of an 802.1Q tag.
inline constexpr std::uint16_t port_tag_bytes = sizeof(VlanTag);

/// True if the outermost tag of `frame` is 802.1Q with this VLAN id, whatever its priority.
[[nodiscard]] inline bool has_port_tag(std::span<const std::uint8_t> frame, std::uint16_t vlan) {
    constexpr std::uint16_t id_mask = 0x0fff;
    if (frame.size() < sizeof(EthernetHeader) + port_tag_bytes) {
        return false;
    }
    const auto type = read_header<Be16>(frame.data() + (2 * sizeof(MacAddress)));
    const auto control = read_header<Be16>(frame.data() + sizeof(EthernetHeader));
    return type == ethertype_vlan && (control.host() & id_mask) == vlan;
}

/// Moves the addresses of the frame at `frame` over its tag: it begins port_tag_bytes later then.
/// REQUIRES: has_port_tag().
inline void cover_port_tag(std::uint8_t* frame) {
    std::memmove(frame + port_tag_bytes, frame, 2 * sizeof(MacAddress));
}

/// Puts a tag with priority 0 into a frame that begins at `frame` from now on, port_tag_bytes before
/// where it did. REQUIRES: these bytes may be written.
inline void put_port_tag(std::uint8_t* frame, std::uint16_t vlan) {
    std::memmove(frame, frame + port_tag_bytes, 2 * sizeof(MacAddress));
    write_header(frame + (2 * sizeof(MacAddress)), ethertype_vlan);
    write_header(frame + sizeof(EthernetHeader), Be16::from_host(vlan));
}

} // namespace penstock
