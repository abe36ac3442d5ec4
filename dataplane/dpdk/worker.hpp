// SPDX-License-Identifier: Apache-2.0
// One worker: the loop that runs to completion on a pinned lcore.
//
//   round:        for each of its receive queues, and for what other workers handed over:
//                 rx burst → process_burst() → tx burst per port, free drops
//   housekeeping: counters, flow expiry, quiescent report, heartbeat
//   idle:         idle_policy.hpp
//
// Thread rule: constructed on the main lcore; run() belongs to the worker's lcore; request_stop()
// is for any thread. In run() nothing allocates, locks, logs or throws, and the only system calls
// are the driver's and the idle wait (the clock is read through the vDSO, in its coarse form, which
// never enters the kernel).
#pragma once

#include "dataplane/core/flood_guard.hpp"
#include "dataplane/core/limit_state.hpp"
#include "dataplane/core/line_memory.hpp"
#include "dataplane/core/nat_state.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/pipeline.hpp"
#include "dataplane/core/publish.hpp"
#include "dataplane/dpdk/hand_over.hpp"
#include "dataplane/dpdk/idle_policy.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

struct rte_mbuf;
struct rte_mempool;

namespace penstock {

/// A worker's queue of one port; DPDK's numbers beside ours.
struct WorkerPort {
    PortId id;
    std::uint16_t dpdk_port = 0;
    std::uint16_t queue = 0; ///< of receiving and sending
    bool receives = true;    ///< false: the driver had fewer receive queues than we have workers
    bool sends_segments = false;                 ///< packets of several segments can leave here
    std::optional<std::uint16_t> exception_port; ///< the way to the kernel, on the same queue
    std::uint32_t exception_frame_bytes = UINT32_MAX; ///< the largest that it takes
    std::uint16_t vlan = 0; ///< the one that it stands in; 0: tags are kept
};

struct WorkerSetup {
    std::size_t index = 0;
    std::size_t worker_count = 1;
    std::vector<WorkerPort> ports;         ///< by PortId
    std::span<const PortFacts> port_facts; ///< by PortId; outlives the worker
    std::span<std::byte> flow_memory;      ///< of FlowTable::bytes_for(), zeroed
    WorkerStats stats;
    rte_mempool* pool = nullptr; ///< for the pieces of packets that are cut
    const NextHopTable* next_hops = nullptr;
    PathMtuTable* path_mtus = nullptr; ///< shared by all workers
    HandOver* hand_over = nullptr;     ///< of all workers; outlives the worker
    Publication<Snapshot>* publication = nullptr;
    std::size_t nat_flows = 1; ///< at most, resting ones included: 136 bytes each
    bool is_adaptive = false;  ///< may sleep when idle
};

class Worker {
public:
    explicit Worker(const WorkerSetup& setup);
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// What other workers may look into.
    [[nodiscard]] WorkerTables tables() const {
        return {.flows = &flows_, .fragments = &fragments_};
    }

    /// Before run(): what this worker may look into, for each of the others.
    void set_siblings(std::vector<WorkerTables> siblings);

    /// Until request_stop(). The burst in hand is finished.
    void run();

    void request_stop() { stop_.store(true, std::memory_order_relaxed); }

private:
    /// What waits to leave by one port.
    struct TxBatch {
        std::array<rte_mbuf*, max_burst> packets{};
        std::uint16_t count = 0;
    };

    /// Polls every queue once; true if anything was there. Without a snapshot only exception paths
    /// are served.
    bool poll_all();
    bool poll(const WorkerPort& port, bool has_snapshot);
    void handle_burst(const WorkerPort& from, std::span<rte_mbuf*> burst);
    /// Sends held packets whose wait is over through the pipeline again; true if there was one.
    bool release_held();
    void drop_held();
    void describe(const rte_mbuf& buffer, PortId port, Packet& packet) const;
    /// Decides and dispatches the first `count` of packets_.
    void process(std::span<rte_mbuf*> burst);
    /// Queues the packet for its port, or for the free list.
    void dispatch(rte_mbuf* buffer, const Packet& packet, const Verdict& verdict);
    void send(rte_mbuf* buffer, PortId port);
    /// To the worker that owns its flow.
    void hand_over(rte_mbuf* buffer, const Packet& packet, std::size_t owner);
    /// Processes a burst of what other workers gave; true if there was anything.
    bool take_handed_over();
    /// Sends the pieces of a packet that is too large for its way.
    void cut(rte_mbuf* buffer, const Verdict& verdict);
    /// Their first bytes are on their way when it returns.
    void count_received(std::span<rte_mbuf* const> burst);
    /// Takes the tags off; returns how many packets of the burst, then in front, are the port's.
    std::size_t strip_tags(const WorkerPort& from, std::span<rte_mbuf*> burst);
    void insert_tags(const WorkerPort& to, TxBatch& batch);
    /// Sends out what the kernel sent; true if there was anything.
    bool serve_kernel(const WorkerPort& port);
    void flush_to_kernel(const WorkerPort& from);
    void flush(const WorkerPort& to, TxBatch& batch);
    void drop(rte_mbuf* buffer, DropReason reason);
    void release(rte_mbuf* buffer);
    void free_dropped();
    void keep_house(std::uint64_t now_tsc);
    void idle(std::uint64_t now_tsc);

    const std::size_t index_;
    const std::vector<WorkerPort> ports_;
    FlowTable flows_;
    const LineMemory fragment_memory_;
    FragmentTracker fragments_;
    const LineMemory nat_memory_;
    const LineMemory limit_memory_;
    const std::unique_ptr<NatState> nat_;
    const std::unique_ptr<LimitState> limits_;
    const std::unique_ptr<FloodGuard> flood_ = std::make_unique<FloodGuard>();
    std::vector<WorkerTables> siblings_;
    rte_mempool* const pool_;
    Publication<Snapshot>& publication_;
    HandOver& hand_over_;
    WorkerContext context_;
    const std::uint64_t ticks_per_us_;
    IdlePolicy idle_policy_;
    std::atomic<bool> stop_{false}; // writer: anybody; reader: this worker

    // This worker's alone.
    CoarseTime now_;
    std::array<Packet, max_burst>
        packets_; // here, not on the stack: no burst pays for clearing them
    std::array<Verdict, max_burst> verdicts_;
    std::array<TxBatch, max_ports> tx_;
    /// By HeldSlot.
    std::array<rte_mbuf*, max_held_packets> held_{};
    std::array<PortId, max_held_packets> held_port_{};
    std::array<std::uint8_t, max_held_packets> held_hand_overs_{};
    std::array<TxBatch, max_ports> to_kernel_; ///< by the port that it came from
    std::array<rte_mbuf*, max_burst> dropped_{};
    unsigned dropped_count_ = 0;
    bool has_nat_ = false;           ///< as of the last housekeeping: others may hand over
    std::size_t hand_over_next_ = 0; ///< the worker whose ring comes next
    std::uint64_t last_round_tsc_ = 0;
    std::uint64_t last_house_tsc_ = 0;
    std::uint64_t sweep_credit_ = 0; ///< bucket-microseconds owed to the sweep
    std::uint64_t busy_ticks_ = 0;   // since the last housekeeping
    std::uint64_t polls_ = 0;
    std::uint64_t empty_polls_ = 0;
    std::uint64_t late_polls_ = 0;
};

} // namespace penstock
