// SPDX-License-Identifier: Apache-2.0
// A running dataplane: everything between a parsed configuration and forwarded packets, started in
// order and ended in the reverse one.
//
//   runtime folder → interface claims → EAL → statistics → buffers, flow tables → ports → workers →
//   control
//
// Each step refuses with place, cause and remedy, and what the steps before it made is undone. The
// end: VIPs leave steering, the rings are forwarded empty, workers finish their burst, then all
// else closes.
//
// Thread rule: the main thread, which becomes the main lcore. SIGTERM and SIGINT must be blocked.
#pragma once

#include "controlplane/config/configuration.hpp"
#include "dataplane/api/refusal.hpp"
#include "dataplane/api/statistics.hpp"
#include "dataplane/core/next_hop.hpp"
#include "dataplane/core/port_facts.hpp"
#include "dataplane/core/publish.hpp"
#include "dataplane/core/snapshot.hpp"
#include "dataplane/dpdk/control.hpp"
#include "dataplane/dpdk/eal.hpp"
#include "dataplane/dpdk/flow_memory.hpp"
#include "dataplane/dpdk/hand_over.hpp"
#include "dataplane/dpdk/host_cpus.hpp"
#include "dataplane/dpdk/lcore_plan.hpp"
#include "dataplane/dpdk/packet_pool.hpp"
#include "dataplane/dpdk/port_set.hpp"
#include "dataplane/dpdk/runtime_folder.hpp"
#include "dataplane/dpdk/worker.hpp"

#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

class Instance {
public:
    /// Returns when packets can flow and the control socket listens.
    [[nodiscard]] static std::expected<std::unique_ptr<Instance>, Refusal>
    start(const config::DataplaneConfig& dataplane, const std::string& runtime_folder);

    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;
    ~Instance();

    /// Serves until SIGTERM or SIGINT.
    void run() { control_->run(); }

private:
    explicit Instance(std::size_t workers) : publication_(workers), hand_over_(workers) {}

    using Step = std::expected<void, Refusal>;
    [[nodiscard]] Step claim_interfaces(const config::DataplaneConfig& dataplane);
    [[nodiscard]] Step start_eal(const config::DataplaneConfig& dataplane);
    [[nodiscard]] Step create_statistics();
    [[nodiscard]] Step allocate_buffers();
    [[nodiscard]] Step open_ports(const config::DataplaneConfig& dataplane);
    void introduce_workers();
    [[nodiscard]] Step launch_workers(const config::DataplaneConfig& dataplane);
    [[nodiscard]] Step open_control(const config::DataplaneConfig& dataplane);
    void stop_workers();

    HostCpus cpus_;
    LcorePlan lcores_;
    MemoryPlan memory_;
    std::unique_ptr<RuntimeFolder> folder_;
    std::vector<std::unique_ptr<InterfaceClaim>>
        claims_; ///< by PortId, until the port takes it over
    std::unique_ptr<Eal> eal_;
    std::unique_ptr<StatisticsWriter> statistics_;
    std::vector<PacketPool> pools_;                        ///< by worker
    std::vector<std::unique_ptr<FlowMemory>> flow_memory_; ///< by worker
    std::unique_ptr<PortSet> ports_;
    std::vector<PortFacts> port_facts_; ///< by PortId
    Publication<Snapshot> publication_;
    NextHopTable next_hops_;
    PathMtuTable path_mtus_;
    HandOver hand_over_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::size_t launched_workers_ = 0;
    std::unique_ptr<Control> control_;
};

} // namespace penstock
