// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/vlan_tag.hpp"

#include "dataplane/core/headers.hpp"

#include <cstring>
#include <rte_mbuf.h>

namespace penstock {

namespace {

constexpr std::size_t addresses_bytes = 2 * sizeof(MacAddress);
constexpr std::uint16_t id_mask = 0x0fff;

} // namespace

bool strip_tag(rte_mbuf& packet, std::uint16_t vlan) {
    if (packet.data_len < sizeof(EthernetHeader) + sizeof(VlanTag)) {
        return false;
    }
    auto* const bytes = rte_pktmbuf_mtod(&packet, std::uint8_t*);
    const auto type = read_header<Be16>(bytes + addresses_bytes);
    const auto control = read_header<Be16>(bytes + sizeof(EthernetHeader));
    if (type != ethertype_vlan || (control.host() & id_mask) != vlan) {
        return false;
    }
    std::memmove(bytes + sizeof(VlanTag), bytes, addresses_bytes);
    return ::rte_pktmbuf_adj(&packet, sizeof(VlanTag)) != nullptr;
}

bool insert_tag(rte_mbuf& packet, std::uint16_t vlan) {
    char* const front = ::rte_pktmbuf_prepend(&packet, sizeof(VlanTag));
    if (front == nullptr) {
        return false;
    }
    auto* const bytes = reinterpret_cast<std::uint8_t*>(front);
    std::memmove(bytes, bytes + sizeof(VlanTag), addresses_bytes);
    write_header(bytes + addresses_bytes, ethertype_vlan);
    write_header(bytes + sizeof(EthernetHeader), Be16::from_host(vlan));
    return true;
}

} // namespace penstock
