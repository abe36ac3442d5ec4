// SPDX-License-Identifier: Apache-2.0
// What a worker does only for ports that have an exception path or stand in a VLAN.
#include "dataplane/dpdk/vlan_tag.hpp"
#include "dataplane/dpdk/worker.hpp"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

namespace penstock {

std::size_t Worker::strip_tags(const WorkerPort& from, std::span<rte_mbuf*> burst) {
    std::size_t count = 0;
    for (rte_mbuf* const buffer : burst) {
        if (strip_tag(*buffer, from.vlan)) {
            burst[count++] = buffer;
        } else {
            drop(buffer, DropReason::foreign_vlan);
        }
    }
    return count;
}

void Worker::insert_tags(const WorkerPort& to, TxBatch& batch) {
    std::uint16_t count = 0;
    for (rte_mbuf* const buffer : std::span(batch.packets).first(batch.count)) {
        if (insert_tag(*buffer, to.vlan)) {
            batch.packets[count++] = buffer;
        } else {
            drop(buffer, DropReason::no_headroom);
        }
    }
    batch.count = count;
}

bool Worker::serve_kernel(const WorkerPort& port) {
    TxBatch& batch = tx_[port.id.value]; // empty between bursts
    batch.count =
        ::rte_eth_rx_burst(*port.exception_port, port.queue, batch.packets.data(), max_burst);
    if (batch.count == 0) {
        return false;
    }
    count_received(std::span(batch.packets).first(batch.count));
    flush(port, batch);
    free_dropped();
    return true;
}

void Worker::flush_to_kernel(const WorkerPort& from) {
    TxBatch& batch = to_kernel_[from.id.value];
    // A driver stops at a frame that it does not take: those behind it must not pay for that.
    std::uint16_t count = 0;
    for (rte_mbuf* const buffer : std::span(batch.packets).first(batch.count)) {
        if (buffer->pkt_len <= from.exception_frame_bytes) {
            batch.packets[count++] = buffer;
        } else {
            drop(buffer, DropReason::exception_path_full);
        }
    }
    batch.count = count;
    const std::uint16_t sent =
        ::rte_eth_tx_burst(*from.exception_port, from.queue, batch.packets.data(), batch.count);
    for (std::size_t i = sent; i < batch.count; ++i) {
        drop(batch.packets[i], DropReason::exception_path_full);
    }
    batch.count = 0;
    context_.stats.worker->to_kernel_packets.add(sent);
}

} // namespace penstock
