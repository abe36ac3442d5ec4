// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/hand_over.hpp"

#include <cstdlib>
#include <rte_mbuf.h>
#include <rte_ring.h>

namespace penstock {

namespace {

constexpr unsigned ring_slots = HandOver::ring_packets + 1; // one stays empty
constexpr unsigned note_shift = 8;

static_assert((ring_slots & (ring_slots - 1)) == 0, "rte_ring wants a power of two");

std::size_t measure_ring() {
    const ssize_t bytes = ::rte_ring_get_memsize(ring_slots);
    if (bytes <= 0) {
        std::abort(); // it depends on ring_slots alone
    }
    return (static_cast<std::size_t>(bytes) + RTE_CACHE_LINE_MASK) &
           ~std::size_t{RTE_CACHE_LINE_MASK};
}

} // namespace

HandOver::HandOver(std::size_t workers)
    : workers_(workers), ring_bytes_(measure_ring()), memory_(workers * workers * ring_bytes_) {
    for (std::size_t from = 0; from < workers; ++from) {
        for (std::size_t to = 0; to < workers; ++to) {
            constexpr unsigned one_each = RING_F_SP_ENQ | RING_F_SC_DEQ;
            if (::rte_ring_init(ring(from, to), "hand-over", ring_slots, one_each) != 0) {
                std::abort(); // a name that is too long, or a size that is no power of two
            }
        }
    }
}

rte_ring* HandOver::ring(std::size_t from, std::size_t to) {
    return reinterpret_cast<rte_ring*>(
        memory_.span().data() + (((from * workers_) + to) * ring_bytes_)
    );
}

bool HandOver::give(std::size_t from, std::size_t to, rte_mbuf* packet, const HandOverNote& note) {
    // The driver's hash of a received packet, which nobody reads any more.
    packet->hash.usr = note.rx_port.value | std::uint32_t{note.hand_overs} << note_shift;
    return ::rte_ring_sp_enqueue(ring(from, to), packet) == 0;
}

std::size_t HandOver::take(std::size_t to, std::span<rte_mbuf*> packets, std::size_t& next) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < workers_ && count < packets.size(); ++i) {
        const std::size_t from = next;
        next = next + 1 == workers_ ? 0 : next + 1;
        if (from != to) {
            const auto room = packets.subspan(count);
            count += ::rte_ring_sc_dequeue_burst(
                ring(from, to),
                reinterpret_cast<void**>(room.data()),
                static_cast<unsigned>(room.size()),
                nullptr
            );
        }
    }
    return count;
}

HandOverNote HandOver::note_of(const rte_mbuf& packet) {
    return {
        .rx_port = PortId{static_cast<std::uint8_t>(packet.hash.usr)},
        .hand_overs = static_cast<std::uint8_t>(packet.hash.usr >> note_shift),
    };
}

} // namespace penstock
