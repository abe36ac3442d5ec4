// SPDX-License-Identifier: Apache-2.0
// Counters that one worker writes and anybody reads, as they stand in the shared statistics.
//
// Thread rule: every counter has exactly one writer, the worker that owns the block; readers are
// other threads and other processes. A write is a relaxed load and store (0.8 ns here; fetch_add
// costs 5.5 ns), a read is relaxed: each value is exact, two values read together need not be of
// the same instant. Layout: blocks start on cache lines of their own and hold nothing another
// worker writes.
#pragma once

#include "dataplane/core/drop_reason.hpp"

#include <array>
#include <atomic>
#include <cstdint>

namespace penstock {

/// A 64-bit counter or gauge with one writer.
class Counter {
public:
    void add(std::uint64_t amount) {
        value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
    }

    void subtract(std::uint64_t amount) {
        value_.store(value_.load(std::memory_order_relaxed) - amount, std::memory_order_relaxed);
    }

    void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }

    [[nodiscard]] std::uint64_t read() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

static_assert(sizeof(Counter) == 8 && std::atomic<std::uint64_t>::is_always_lock_free);

/// Everything one worker counts. Conservation, at any quiet moment:
/// rx_packets + pieces = tx_packets + to_kernel_packets + Σ drops. Replies are part of tx_packets.
struct alignas(64) WorkerCounters {
    Counter rx_packets;
    Counter rx_bytes;
    Counter tx_packets;
    Counter tx_bytes;
    Counter to_kernel_packets;
    Counter replies;        ///< ARP, ND and echo answered by us, and messages to clients
    Counter pieces;         ///< packets that left beyond those that came: of packets that were cut
    Counter flow_hits;      ///< packets that followed a flow entry
    Counter flow_misses;    ///< packets that chose a backend by hash
    Counter flows_inserted; ///< entries made
    Counter flows_expired;  ///< entries forgotten after their idle time
    Counter flows_unplaced; ///< misses that found no room: forwarded by hash alone
    Counter flows_withheld; ///< SYNs without an entry because of a flood: forwarded by hash alone
    Counter flows;          ///< gauge: entries now
    Counter flow_capacity;  ///< gauge: entries at most
    Counter nat_flows;      ///< gauge: entries of NAT flows now
    Counter nat_resting;    ///< gauge: entries whose port rests
    Counter nat_capacity;   ///< gauge: both at most
    Counter nat_pool_fullest; ///< gauge: ports taken towards the backend that has most of them
    Counter nat_pool_ports;   ///< gauge: ports that this worker has towards each backend
    Counter nat_replies;      ///< packets of servers forwarded to clients
    /// Packets for another worker, which counts what becomes of them; its ring may have been full.
    Counter handed_over;
    Counter generation;   ///< gauge: of the snapshot in use
    Counter heartbeat_ns; ///< gauge: CLOCK_MONOTONIC at the last housekeeping
    Counter polls;        ///< rx polls
    Counter empty_polls;  ///< rx polls that found nothing
    Counter busy_ns;      ///< time spent in polls that found something
    Counter late_polls;   ///< rounds over 20 µs, idle sleep apart: mostly, the CPU was taken away
    std::array<Counter, drop_reason_count> drops;
};

struct alignas(32) ServiceCounters {
    // Forwarded is: handed to the port. What its full queue refused is in the worker's drops alone.
    Counter packets; ///< forwarded
    Counter bytes;   ///< forwarded, as received, from the Ethernet header on
    Counter new_flows;
    Counter dropped_packets; ///< matched the service, then dropped
};

struct alignas(32) BackendCounters {
    Counter packets;
    Counter bytes;
    Counter new_flows;
    Counter flows; ///< gauge: entries that name this backend; 0 on all workers frees its id
};

static_assert(sizeof(ServiceCounters) == 32 && sizeof(BackendCounters) == 32);
static_assert(sizeof(WorkerCounters) % 64 == 0);

/// One worker's blocks. Backends and services are indexed by id.
struct WorkerStats {
    WorkerCounters* worker = nullptr;
    ServiceCounters* services = nullptr; ///< [max_services]
    BackendCounters* backends = nullptr; ///< [max_backends]
};

} // namespace penstock
