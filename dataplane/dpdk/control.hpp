// SPDX-License-Identifier: Apache-2.0
// The control half of penstock-dp in one piece: control socket, builder thread and next hops around
// one epoll loop. main.cpp makes the ports and workers, then creates this and runs it on the main
// lcore.
//
//   client ─► ControlServer ─► Control ─► Builder (thread): compile, publish, grace period
//                                 │  ▲───────── eventfd ──────────┘
//                                 ├─► Neighbours: next hop of every target, by netlink
//                                 └─► PortControl: steering, announcements
//
// A change goes: compile (builder) → next hops asked for, bounded wait → removed VIPs leave
// steering, rings drain → publish, grace period → new VIPs are steered → announce → reply.
//
// Thread rule: create() and run() on the main lcore's thread.
#pragma once

#include "controlplane/config/configuration.hpp"
#include "dataplane/api/refusal.hpp"
#include "dataplane/api/statistics.hpp"
#include "dataplane/core/next_hop.hpp"
#include "dataplane/core/pipeline.hpp"
#include "dataplane/core/port_facts.hpp"
#include "dataplane/core/publish.hpp"
#include "dataplane/core/snapshot.hpp"
#include "dataplane/dpdk/port_facts.hpp"

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace penstock {

struct ControlSetup {
    std::string socket_path = default_control_socket;
    std::vector<PortDescription> ports;
    std::vector<WorkerDescription> workers;
    std::vector<config::NeighbourConfig> neighbours; ///< static ones
    StatisticsWriter& statistics;
    Publication<Snapshot>& publication;
    NextHopTable& next_hops;
    PortControl& port_control;
    std::vector<WorkerTables> worker_tables; ///< by worker; read only, to explain packets
    PathMtuTable* path_mtus = nullptr;       ///< never null where packets are explained
    std::span<const PortFacts> port_facts;   ///< by PortId
};

class Control {
public:
    /// Opens the socket, netlink and the signals (SIGTERM and SIGINT; they are blocked in the
    /// calling thread, so that run() sees them: call it before other threads start, or block them
    /// there too). An error names what to do. References in `setup` must outlive the Control.
    [[nodiscard]] static std::expected<std::unique_ptr<Control>, Refusal> create(ControlSetup setup
    );

    Control(const Control&) = delete;
    Control& operator=(const Control&) = delete;

    /// Closes the socket and removes its file and the neighbours that we added. Workers must have
    /// stopped or hold no snapshot: it also frees the live one.
    ~Control();

    /// Serves until SIGTERM, SIGINT or stop(). Workers go on: stopping them is the caller's part.
    void run();

    /// From any thread: makes run() return.
    void stop();

private:
    class Session;
    explicit Control(std::unique_ptr<Session> session);
    std::unique_ptr<Session> session_;
};

} // namespace penstock
