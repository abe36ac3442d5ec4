// SPDX-License-Identifier: Apache-2.0
// A real worker (dataplane/dpdk/worker.hpp) on its own lcore, between two rings that stand for a
// NIC's queues: what is put into `in` is what the worker receives, what it sends comes out of
// `out`.
//
// Thread rule: made and destroyed by the main lcore, which is also the only one that uses the
// rings' other ends. The worker runs between construction and destruction.
#pragma once

#include "bench/subject.hpp"
#include "dataplane/core/publish.hpp"
#include "dataplane/dpdk/worker.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct rte_mempool;
struct rte_ring;

namespace penstock::bench {

class WorkerRig {
public:
    /// Starts a worker on lcore index + 1. Aborts if DPDK refuses: the caller's
    /// EAL is too small.
    WorkerRig(
        const ForwardingCase& forwarding,
        std::size_t flow_capacity,
        unsigned index,
        bool is_adaptive
    );
    ~WorkerRig();

    WorkerRig(const WorkerRig&) = delete;
    WorkerRig& operator=(const WorkerRig&) = delete;

    [[nodiscard]] rte_ring* in() const { return in_; }

    [[nodiscard]] rte_ring* out() const { return out_; }

    [[nodiscard]] rte_mempool* pool() const { return pool_; }

    [[nodiscard]] const WorkerCounters& counters() const { return counters_; }

private:
    unsigned lcore_;
    rte_ring* in_ = nullptr;
    rte_ring* out_ = nullptr;
    rte_mempool* pool_ = nullptr;
    TableMemory memory_;
    NextHopTable next_hops_;
    PathMtuTable path_mtus_;
    WorkerCounters counters_;
    std::vector<ServiceCounters> services_;
    std::vector<BackendCounters> backends_;
    IdRegistry ids_;
    std::shared_ptr<const Snapshot> snapshot_;
    std::array<PortFacts, 1> facts_{PortFacts{.mac = {{2, 0, 0, 0, 0, 9}}, .mtu = 1500}};
    Publication<Snapshot> publication_{1};
    std::unique_ptr<Worker> worker_;
};

} // namespace penstock::bench
