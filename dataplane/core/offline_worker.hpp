// SPDX-License-Identifier: Apache-2.0
// Everything a worker owns, without a NIC: what replay, the simulator, benchmarks, fuzzers and tests
// send packets through. The dataplane's worker gets its memory from hugepages instead
// (dataplane/dpdk/worker.hpp).
//
// send() and pass_time() do all that the dataplane's worker does with frames, cutting and holding
// back included; who wants nothing but the packet path calls process_burst() with context().
//
// Thread rule: one thread.
#pragma once

#include "dataplane/core/flood_guard.hpp"
#include "dataplane/core/limit_state.hpp"
#include "dataplane/core/line_memory.hpp"
#include "dataplane/core/nat_state.hpp"
#include "dataplane/core/pipeline.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace penstock {

/// A frame for OfflineWorker::send().
struct OfflineFrame {
    std::uint64_t id = 0;                ///< the caller's own: it comes back with the outcome
    std::span<const std::uint8_t> bytes; ///< as much of it as there is
    std::uint32_t length = 0;            ///< on the wire; at least bytes.size()
};

/// What became of a frame.
struct OfflineOutcome {
    /// A frame that leaves.
    struct Sent {
        std::vector<std::uint8_t> bytes; ///< as much of it as there is
        std::uint32_t length = 0;        ///< on the wire

        friend bool operator==(const Sent&, const Sent&) = default;
    };

    std::uint64_t id = 0;
    Verdict verdict;        ///< never hold
    std::vector<Sent> sent; ///< none, one, or the pieces of a frame that was cut, in their order
};

class OfflineWorker {
public:
    using Outcomes = std::vector<OfflineOutcome>;

    /// `flow_memory` is the flow table's, as FlowTable asks for it; it and `ports` outlive this.
    OfflineWorker(std::span<std::byte> flow_memory, std::span<const PortFacts> ports);

    OfflineWorker(const OfflineWorker&) = delete;
    OfflineWorker& operator=(const OfflineWorker&) = delete;

    [[nodiscard]] WorkerContext& context() { return context_; }

    [[nodiscard]] FlowTable& flows() { return flows_; }

    [[nodiscard]] FragmentTracker& fragments() { return fragments_; }

    [[nodiscard]] NatState& nat() { return *nat_; }

    /// VLANs of the ports, 0 for none, by PortId: frames of another one are dropped as foreign_vlan, the
    /// tag is taken off what arrives and put on what leaves. Without a call no port has one.
    void set_vlans(std::vector<std::uint16_t> vlans) { vlans_ = std::move(vlans); }

    /// Sends a burst through and appends what became of every frame that is decided now, in the order
    /// in which they leave: those of the burst, then those held back that one of them has released. A
    /// frame that is held back is copied and comes out of a later call. Frames arrive at port 0. With
    /// a null snapshot everything is dropped as no_snapshot. REQUIRES: burst.size() <= max_burst.
    void send(const Snapshot* snapshot, std::span<const OfflineFrame> burst, Outcomes& decided);

    /// Sets the clock, in milliseconds of any beginning; it never goes back. Forgets what has expired,
    /// in all tables, and appends the frames that were held back for too long.
    void pass_time(const Snapshot* snapshot, std::uint64_t now_ms, Outcomes& decided);

    /// Nothing more comes: appends every frame that is still held back.
    void end_waits(const Snapshot* snapshot, Outcomes& decided);

    /// As of the last pass_time().
    [[nodiscard]] std::uint64_t now_ms() const { return context_.now_ms; }

    /// Forgets all flows, NAT's too, as if they had expired. The gauges of flows are put right.
    void forget_flows();

    /// Back to how it was made, but for the next hops and the counters: no flow, fragment, path MTU,
    /// NAT flow or used-up limit is left, nothing is held back, the clock is at 0. The gauges of flows
    /// are put right.
    void forget();

    /// NAT flows that it has room for, resting ones included.
    static constexpr std::size_t nat_flow_count = 4096;

    [[nodiscard]] NextHopTable& next_hops() { return *next_hops_; }

    [[nodiscard]] const WorkerCounters& counters() const { return *counters_; }

    /// By id.
    [[nodiscard]] std::span<const ServiceCounters> services() const { return services_; }

    [[nodiscard]] std::span<const BackendCounters> backends() const { return backends_; }

private:
    // A frame and its memory, which is of its exact size, for the sanitizers' sake.
    struct Buffer {
        std::unique_ptr<std::uint8_t[]> memory;
        Packet packet;
        std::uint64_t id = 0;
    };

    [[nodiscard]] static Buffer make_buffer(const OfflineFrame& frame);
    [[nodiscard]] std::uint16_t vlan_of(PortId port) const;
    [[nodiscard]] bool strip_tag(Packet& packet) const;
    void add_sent(
        std::span<const std::uint8_t> bytes, std::uint32_t length, OfflineOutcome& outcome
    ) const;
    void add_dropped(std::uint64_t id, DropReason reason, Outcomes& decided);
    [[nodiscard]] CoarseTime now() const;
    void expire(const Snapshot* snapshot);
    void release_ready(const Snapshot* snapshot, CoarseTime now, Outcomes& decided);
    void process(const Snapshot* snapshot, std::span<Buffer> buffers, Outcomes& decided);
    void
    finish(const Snapshot* snapshot, Buffer& buffer, const Verdict& verdict, Outcomes& decided);
    void cut(const Snapshot& snapshot, const Packet& packet, OfflineOutcome& outcome);

    LineMemory fragment_memory_;
    LineMemory nat_memory_;
    LineMemory limit_memory_;
    std::unique_ptr<NatState> nat_;
    std::unique_ptr<LimitState> limits_;
    std::unique_ptr<FloodGuard> flood_ = std::make_unique<FloodGuard>();
    FlowTable flows_;
    FragmentTracker fragments_;
    std::unique_ptr<NextHopTable> next_hops_ = std::make_unique<NextHopTable>();
    std::unique_ptr<PathMtuTable> path_mtus_ = std::make_unique<PathMtuTable>();
    std::unique_ptr<WorkerCounters> counters_ = std::make_unique<WorkerCounters>();
    std::vector<ServiceCounters> services_;
    std::vector<BackendCounters> backends_;
    std::array<Buffer, max_held_packets> held_;
    std::vector<std::uint16_t> vlans_;
    WorkerContext context_;
};

} // namespace penstock
