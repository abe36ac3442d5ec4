// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/gather_headers.hpp"

#include <algorithm>
#include <cstring>
#include <rte_mbuf.h>

namespace penstock {

void gather_headers(rte_mbuf& packet) {
    while (packet.data_len < gathered_bytes && packet.next != nullptr) {
        rte_mbuf& next = *packet.next;
        const std::uint16_t wanted = std::min<std::uint16_t>(
            next.data_len, static_cast<std::uint16_t>(gathered_bytes - packet.data_len)
        );
        if (wanted > rte_pktmbuf_tailroom(&packet)) {
            return; // the core says what is cut off
        }
        std::memcpy(
            rte_pktmbuf_mtod_offset(&packet, std::uint8_t*, packet.data_len),
            rte_pktmbuf_mtod(&next, const std::uint8_t*),
            wanted
        );
        packet.data_len = static_cast<std::uint16_t>(packet.data_len + wanted);
        next.data_off = static_cast<std::uint16_t>(next.data_off + wanted);
        next.data_len = static_cast<std::uint16_t>(next.data_len - wanted);
        if (next.data_len == 0) {
            packet.next = next.next;
            --packet.nb_segs;
            next.next = nullptr;
            ::rte_pktmbuf_free_seg(&next);
        }
    }
}

} // namespace penstock
