// SPDX-License-Identifier: Apache-2.0
// This file is long because a round, from receiving to sending, is one walk over the same arrays.
#include "dataplane/dpdk/worker.hpp"

#include "dataplane/core/cut.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/dpdk/gather_headers.hpp"

#include <algorithm>
#include <ctime>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_prefetch.h>
#include <utility>

namespace penstock {

namespace {

constexpr std::uint64_t house_period_us = 250;
constexpr std::uint64_t late_after_us = 20;
// The whole flow table is looked at once in this time, far below the coarse clock's wrap of 8,192 s
// ...
constexpr std::uint64_t sweep_period_us = 60'000'000;
// ... but no housekeeping looks at more than this, some 10 µs of cache misses: time lost in a stall
// is made up for in small steps.
constexpr std::size_t sweep_buckets_most = 128;
constexpr std::size_t max_cut_segments = 40; // 64 KiB in buffers of 2 KiB
constexpr std::size_t max_layer2_bytes = sizeof(EthernetHeader) + (2 * sizeof(VlanTag));

// Coarse: a read of the vDSO page whatever the clock source; 4 ms of error do not matter here.
std::uint64_t coarse_monotonic_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
}

void sleep_ns(std::uint32_t length_ns) {
    const timespec length{.tv_sec = 0, .tv_nsec = static_cast<long>(length_ns)};
    // Woken early by a signal: then the queues are looked at early.
    (void)::clock_nanosleep(CLOCK_MONOTONIC, 0, &length, nullptr);
}

} // namespace

Worker::Worker(const WorkerSetup& setup)
    : index_(setup.index),
      ports_(setup.ports),
      flows_(setup.flow_memory),
      fragment_memory_(FragmentTracker::memory_bytes()),
      fragments_(fragment_memory_.span()),
      nat_memory_(NatTable::bytes_for(setup.nat_flows)),
      limit_memory_(LimitState::memory_bytes()),
      nat_(std::make_unique<NatState>(
          nat_memory_.span(), setup.nat_flows, setup.index, setup.worker_count
      )),
      limits_(std::make_unique<LimitState>(limit_memory_.span(), setup.worker_count)),
      pool_(setup.pool),
      publication_(*setup.publication),
      hand_over_(*setup.hand_over),
      context_{
          .flows = flows_,
          .fragments = fragments_,
          .next_hops = *setup.next_hops,
          .path_mtus = *setup.path_mtus,
          .ports = setup.port_facts,
          .stats = setup.stats,
          .siblings = {},
          .nat = nat_.get(),
          .limits = limits_.get(),
          .flood = flood_.get(),
          .too_big_budget = {},
      },
      ticks_per_us_(std::max<std::uint64_t>(1, ::rte_get_tsc_hz() / 1'000'000U)),
      idle_policy_(
          setup.is_adaptive ? IdlePolicy::adaptive(IdlePolicy::spin_ns * ticks_per_us_ / 1000)
                            : IdlePolicy::spin()
      ) {
    context_.stats.worker->flow_capacity.set(flows_.capacity());
}

void Worker::set_siblings(std::vector<WorkerTables> siblings) {
    siblings_ = std::move(siblings);
    context_.siblings = siblings_;
}

void Worker::run() {
    last_round_tsc_ = ::rte_rdtsc();
    last_house_tsc_ = last_round_tsc_;
    now_ = CoarseTime::from_seconds(coarse_monotonic_ns() / 1'000'000'000U);
    while (!stop_.load(std::memory_order_relaxed)) {
        const bool was_busy = poll_all();
        const std::uint64_t now = ::rte_rdtsc();
        const std::uint64_t gap = now - last_round_tsc_;
        last_round_tsc_ = now;
        late_polls_ += gap > late_after_us * ticks_per_us_ ? 1 : 0;
        if (was_busy) {
            busy_ticks_ += gap;
            idle_policy_.note_traffic(now);
        }
        if (now - last_house_tsc_ >= house_period_us * ticks_per_us_) {
            keep_house(now);
        }
        if (!was_busy) {
            idle(now);
        }
    }
    keep_house(::rte_rdtsc());
    drop_held();
    publication_.report_gone(index_);
}

bool Worker::poll_all() {
    // Nothing can be decided before the first: what arrives waits in the ring, or the NIC drops it.
    const bool has_snapshot = publication_.acquire() != nullptr;
    bool any = fragments_.held_count() != 0 && release_held();
    any = (has_nat_ && take_handed_over()) || any;
    for (const WorkerPort& port : ports_) {
        if (port.exception_port) {
            any = serve_kernel(port) || any;
        }
        if (port.receives && (has_snapshot || port.exception_port)) {
            any = poll(port, has_snapshot) || any;
        }
    }
    return any;
}

bool Worker::poll(const WorkerPort& port, bool has_snapshot) {
    std::array<rte_mbuf*, max_burst> burst;
    std::size_t count = ::rte_eth_rx_burst(port.dpdk_port, port.queue, burst.data(), max_burst);
    ++polls_;
    if (count == 0) {
        ++empty_polls_;
        return false;
    }
    const std::span<rte_mbuf*> received{burst.data(), count};
    count_received(received);
    if (port.vlan != 0) {
        count = strip_tags(port, received);
    }
    if (has_snapshot) [[likely]] {
        handle_burst(port, received.first(count));
    } else {
        // No VIP yet: all of it is the kernel's.
        TxBatch& batch = to_kernel_[port.id.value];
        std::ranges::copy(received.first(count), batch.packets.begin());
        batch.count = static_cast<std::uint16_t>(count);
        flush_to_kernel(port);
        free_dropped();
    }
    return true;
}

void Worker::count_received(std::span<rte_mbuf* const> burst) {
    std::uint64_t bytes = 0;
    for (const rte_mbuf* const buffer : burst) {
        ::rte_prefetch0(rte_pktmbuf_mtod(buffer, const void*));
        bytes += buffer->pkt_len;
    }
    WorkerCounters& counters = *context_.stats.worker;
    counters.rx_packets.add(burst.size());
    counters.rx_bytes.add(bytes);
}

void Worker::handle_burst(const WorkerPort& from, std::span<rte_mbuf*> burst) {
    for (std::size_t i = 0; i < burst.size(); ++i) {
        if (burst[i]->nb_segs > 1) [[unlikely]] {
            gather_headers(*burst[i]);
        }
        describe(*burst[i], from.id, packets_[i]);
    }
    process(burst);
}

void Worker::describe(const rte_mbuf& buffer, PortId port, Packet& packet) const {
    packet = {
        .data = rte_pktmbuf_mtod(&buffer, std::uint8_t*),
        .length = buffer.data_len,
        .total_length = buffer.pkt_len,
        .headroom = buffer.data_off,
        .rx_port = port,
    };
}

bool Worker::release_held() {
    std::array<rte_mbuf*, max_burst> burst;
    std::size_t count = 0;
    while (count < burst.size()) {
        const auto slot = fragments_.take_ready(now_);
        if (!slot) {
            break;
        }
        rte_mbuf* const buffer = std::exchange(held_[slot->index], nullptr);
        describe(*buffer, held_port_[slot->index], packets_[count]);
        packets_[count].was_held = true;
        packets_[count].hand_overs = held_hand_overs_[slot->index];
        burst[count++] = buffer;
    }
    if (count != 0) {
        process({burst.data(), count});
    }
    return count != 0;
}

void Worker::drop_held() {
    for (rte_mbuf*& buffer : held_) {
        if (buffer != nullptr) {
            drop(std::exchange(buffer, nullptr), DropReason::fragment_without_first);
            free_dropped();
        }
    }
}

void Worker::process(std::span<rte_mbuf*> burst) {
    process_burst(
        context_,
        publication_.acquire(),
        now_,
        std::span(packets_).first(burst.size()),
        std::span(verdicts_).first(burst.size())
    );
    for (std::size_t i = 0; i < burst.size(); ++i) {
        dispatch(burst[i], packets_[i], verdicts_[i]);
    }
    for (const WorkerPort& port : ports_) {
        if (TxBatch& batch = tx_[port.id.value]; batch.count != 0) {
            flush(port, batch);
        }
        if (to_kernel_[port.id.value].count != 0) [[unlikely]] {
            flush_to_kernel(port);
        }
    }
    free_dropped();
}

void Worker::dispatch(rte_mbuf* buffer, const Packet& packet, const Verdict& verdict) {
    switch (verdict.kind) {
    case VerdictKind::forward:
    case VerdictKind::reply: {
        if (packet.total_length == packet.length && buffer->nb_segs > 1) [[unlikely]] {
            // An answer that quotes the beginning of a packet of several segments.
            ::rte_pktmbuf_free(std::exchange(buffer->next, nullptr));
            buffer->nb_segs = 1;
        }
        buffer->data_off = packet.headroom;
        buffer->data_len = static_cast<std::uint16_t>(packet.length);
        buffer->pkt_len = packet.total_length;
        if (verdict.kind == VerdictKind::forward && verdict.cut_mtu != 0) [[unlikely]] {
            cut(buffer, verdict);
            return;
        }
        // A driver that takes single segments would send the first one and garbage.
        if (buffer->nb_segs > 1 && !ports_[verdict.tx_port.value].sends_segments) [[unlikely]] {
            drop(buffer, DropReason::too_big);
            return;
        }
        send(buffer, verdict.tx_port);
        return;
    }
    case VerdictKind::hand_over:
        hand_over(buffer, packet, verdict.worker);
        return;
    case VerdictKind::hold:
        held_[verdict.held.index] = buffer;
        held_port_[verdict.held.index] = packet.rx_port;
        held_hand_overs_[verdict.held.index] = packet.hand_overs;
        return;
    case VerdictKind::kernel:
        if (ports_[packet.rx_port.value].exception_port) {
            TxBatch& batch = to_kernel_[packet.rx_port.value];
            batch.packets[batch.count++] = buffer;
        } else {
            drop(buffer, DropReason::no_exception_path);
        }
        return;
    case VerdictKind::drop:
        release(buffer); // process_burst() has counted it
        return;
    }
}

void Worker::send(rte_mbuf* buffer, PortId port) {
    TxBatch& batch = tx_[port.value];
    if (batch.count == batch.packets.size()) [[unlikely]] {
        flush(ports_[port.value], batch); // pieces make more than a burst
    }
    batch.packets[batch.count++] = buffer;
}

void Worker::cut(rte_mbuf* buffer, const Verdict& verdict) {
    std::array<std::span<const std::uint8_t>, max_cut_segments> segments;
    std::size_t count = 0;
    for (const rte_mbuf* at = buffer; at != nullptr && count < segments.size(); at = at->next) {
        segments[count++] = {rte_pktmbuf_mtod(at, const std::uint8_t*), at->data_len};
    }
    const Snapshot* const snapshot = publication_.acquire();
    const std::span<const std::span<const std::uint8_t>> whole(segments.data(), count);
    // A piece is one buffer, which may hold less than a jumbo port may send.
    const std::size_t data_room = ::rte_pktmbuf_data_room_size(pool_) - RTE_PKTMBUF_HEADROOM;
    const auto mtu = std::min<std::size_t>(verdict.cut_mtu, data_room - max_layer2_bytes);
    const Cutter cutter(whole, snapshot->backend(verdict.backend), static_cast<std::uint16_t>(mtu));
    std::array<rte_mbuf*, max_pieces> pieces;
    if (buffer->nb_segs > count || cutter.count() == 0 || cutter.count() > pieces.size()) {
        drop(buffer, DropReason::too_big);
        return;
    }
    if (::rte_pktmbuf_alloc_bulk(pool_, pieces.data(), cutter.count()) != 0) {
        drop(buffer, DropReason::no_buffer);
        return;
    }
    if (cutter.length(0) > rte_pktmbuf_tailroom(pieces[0])) {
        ::rte_pktmbuf_free_bulk(pieces.data(), cutter.count());
        drop(buffer, DropReason::too_big);
        return;
    }
    for (std::uint32_t i = 0; i < cutter.count(); ++i) {
        char* const room =
            ::rte_pktmbuf_append(pieces[i], static_cast<std::uint16_t>(cutter.length(i)));
        cutter.write(i, {reinterpret_cast<std::uint8_t*>(room), cutter.length(i)});
        send(pieces[i], verdict.tx_port);
    }
    context_.stats.worker->pieces.add(cutter.count() - 1U);
    release(buffer); // its pieces have left
}

void Worker::flush(const WorkerPort& to, TxBatch& batch) {
    if (to.vlan != 0) {
        insert_tags(to, batch);
    }
    // Before sending: afterwards the buffers are the driver's.
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < batch.count; ++i) {
        bytes += batch.packets[i]->pkt_len;
    }
    const std::uint16_t sent =
        ::rte_eth_tx_burst(to.dpdk_port, to.queue, batch.packets.data(), batch.count);
    for (std::size_t i = sent; i < batch.count; ++i) {
        bytes -= batch.packets[i]->pkt_len;
        drop(batch.packets[i], DropReason::tx_queue_full);
    }
    batch.count = 0;
    WorkerCounters& counters = *context_.stats.worker;
    counters.tx_packets.add(sent);
    counters.tx_bytes.add(bytes);
}

void Worker::drop(rte_mbuf* buffer, DropReason reason) {
    context_.stats.worker->drops[static_cast<std::size_t>(reason)].add(1);
    release(buffer);
}

void Worker::release(rte_mbuf* buffer) {
    if (dropped_count_ == dropped_.size()) [[unlikely]] {
        free_dropped(); // pieces make more than a burst
    }
    dropped_[dropped_count_++] = buffer;
}

void Worker::free_dropped() {
    if (dropped_count_ != 0) {
        ::rte_pktmbuf_free_bulk(dropped_.data(), dropped_count_);
        dropped_count_ = 0;
    }
}

void Worker::keep_house(std::uint64_t now_tsc) {
    const std::uint64_t now_ns = coarse_monotonic_ns();
    now_ = CoarseTime::from_seconds(now_ns / 1'000'000'000U);
    context_.now_ms = now_ns / 1'000'000U;
    // Also without NAT: what was given before its last service went must not stay.
    (void)take_handed_over();
    const std::uint64_t elapsed_us = (now_tsc - last_house_tsc_) / ticks_per_us_;
    last_house_tsc_ = now_tsc;

    const Snapshot* const snapshot = publication_.acquire();
    has_nat_ = snapshot != nullptr && snapshot->has_nat_sources();
    sweep_credit_ += elapsed_us * flows_.bucket_count();
    const std::size_t buckets =
        std::min<std::size_t>(sweep_credit_ / sweep_period_us, sweep_buckets_most);
    if (buckets != 0) {
        sweep_credit_ -= buckets * sweep_period_us;
        expire_flows(context_, snapshot, now_, buckets);
    }

    WorkerCounters& counters = *context_.stats.worker;
    counters.flows.set(flows_.size());
    counters.generation.set(snapshot != nullptr ? snapshot->generation() : 0);
    counters.polls.add(polls_);
    counters.empty_polls.add(empty_polls_);
    counters.late_polls.add(late_polls_);
    counters.busy_ns.add(busy_ticks_ * 1000 / ticks_per_us_);
    polls_ = 0;
    empty_polls_ = 0;
    late_polls_ = 0;
    busy_ticks_ = 0;
    counters.heartbeat_ns.set(now_ns);
    publication_.report_quiescent(index_); // `snapshot` is not used beyond this line
}

void Worker::idle(std::uint64_t now_tsc) {
    const std::uint32_t length_ns = idle_policy_.choose_sleep_ns(now_tsc);
    if (length_ns == 0) {
        ::rte_pause();
        return;
    }
    sleep_ns(length_ns);
    last_round_tsc_ = ::rte_rdtsc(); // a sleep is no late poll
}

} // namespace penstock
