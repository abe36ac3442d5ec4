// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/vlan_tag.hpp"

#include "dataplane/core/port_vlan.hpp"

#include <rte_mbuf.h>

namespace penstock {

bool strip_tag(rte_mbuf& packet, std::uint16_t vlan) {
    auto* const bytes = rte_pktmbuf_mtod(&packet, std::uint8_t*);
    if (!has_port_tag({bytes, packet.data_len}, vlan)) {
        return false;
    }
    cover_port_tag(bytes);
    return ::rte_pktmbuf_adj(&packet, port_tag_bytes) != nullptr;
}

bool insert_tag(rte_mbuf& packet, std::uint16_t vlan) {
    char* const front = ::rte_pktmbuf_prepend(&packet, port_tag_bytes);
    if (front == nullptr) {
        return false;
    }
    put_port_tag(reinterpret_cast<std::uint8_t*>(front), vlan);
    return true;
}

} // namespace penstock
