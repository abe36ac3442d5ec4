// SPDX-License-Identifier: Apache-2.0
// Everything a worker owns, without a NIC: what replay, the simulator, benchmarks, fuzzers and tests
// send packets through. The dataplane's worker gets its memory from hugepages instead
// (dataplane/dpdk/worker.hpp).
//
// Thread rule: one thread.
#pragma once

#include "dataplane/core/flood_guard.hpp"
#include "dataplane/core/limit_state.hpp"
#include "dataplane/core/line_memory.hpp"
#include "dataplane/core/nat_state.hpp"
#include "dataplane/core/pipeline.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace penstock {

class OfflineWorker {
public:
    /// `flow_memory` is the flow table's, as FlowTable asks for it; it and `ports` outlive this.
    OfflineWorker(std::span<std::byte> flow_memory, std::span<const PortFacts> ports);

    OfflineWorker(const OfflineWorker&) = delete;
    OfflineWorker& operator=(const OfflineWorker&) = delete;

    [[nodiscard]] WorkerContext& context() { return context_; }

    [[nodiscard]] FlowTable& flows() { return flows_; }

    [[nodiscard]] FragmentTracker& fragments() { return fragments_; }

    [[nodiscard]] NatState& nat() { return *nat_; }

    /// Back to how it was made, but for the next hops and the counters: no flow, fragment, path MTU,
    /// NAT flow or used-up limit is left. The gauges of flows are put right.
    void forget();

    /// NAT flows that it has room for, resting ones included.
    static constexpr std::size_t nat_flow_count = 4096;

    [[nodiscard]] NextHopTable& next_hops() { return *next_hops_; }

    [[nodiscard]] const WorkerCounters& counters() const { return *counters_; }

    /// By id.
    [[nodiscard]] std::span<const ServiceCounters> services() const { return services_; }

    [[nodiscard]] std::span<const BackendCounters> backends() const { return backends_; }

private:
    void forget_flows();

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
    WorkerContext context_;
};

} // namespace penstock
