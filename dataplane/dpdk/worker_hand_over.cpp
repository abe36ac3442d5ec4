// SPDX-License-Identifier: Apache-2.0
// What a worker does with packets of flows that another worker owns, and with those that others
// give to it.
#include "dataplane/dpdk/worker.hpp"

#include <rte_mbuf.h>
#include <rte_prefetch.h>

namespace penstock {

void Worker::hand_over(rte_mbuf* buffer, const Packet& packet, std::size_t owner) {
    const HandOverNote note{
        .rx_port = packet.rx_port, .hand_overs = static_cast<std::uint8_t>(packet.hand_overs + 1)
    };
    if (!hand_over_.give(index_, owner, buffer, note)) [[unlikely]] {
        drop(buffer, DropReason::hand_over_full);
    }
}

bool Worker::take_handed_over() {
    std::array<rte_mbuf*, max_burst> burst;
    const std::size_t count = hand_over_.take(index_, burst, hand_over_next_);
    for (std::size_t i = 0; i < count; ++i) {
        ::rte_prefetch0(rte_pktmbuf_mtod(burst[i], const void*));
    }
    for (std::size_t i = 0; i < count; ++i) {
        const HandOverNote note = HandOver::note_of(*burst[i]);
        describe(*burst[i], note.rx_port, packets_[i]);
        packets_[i].hand_overs = note.hand_overs;
    }
    if (count != 0) {
        process({burst.data(), count});
    }
    return count != 0;
}

} // namespace penstock
