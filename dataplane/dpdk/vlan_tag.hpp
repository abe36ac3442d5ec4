// SPDX-License-Identifier: Apache-2.0
// The 802.1Q tag of a port that stands in one VLAN (`vlan` of [[dataplane.port]]): taken off what
// arrives, put on what leaves, so that the core and the kernel see untagged frames.
//
// In software, twelve bytes moved a packet and only on such ports: drivers differ in what their
// offloads do with a second tag.
//
// Thread rule: pure edits of one packet, by the worker that has it.
#pragma once

#include <cstdint>

struct rte_mbuf;

namespace penstock {

/// Takes the tag off if the outermost one is 802.1Q with this VLAN id. False, and the packet is as
/// it was: it has another tag, or none.
[[nodiscard]] bool strip_tag(rte_mbuf& packet, std::uint16_t vlan);

/// Puts a tag with priority 0 on. False if there is no headroom.
[[nodiscard]] bool insert_tag(rte_mbuf& packet, std::uint16_t vlan);

} // namespace penstock
