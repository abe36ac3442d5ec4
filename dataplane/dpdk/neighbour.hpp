// SPDX-License-Identifier: Apache-2.0
// Next hops: for every backend of the snapshot, the port and MAC address its frames go to, as the
// kernel routes and resolves them, kept up to date by netlink.
//
//   target address ──RTM_GETROUTE──► interface (→ port), gateway or on-link
//                                      └─► neighbour of that interface ──► MAC ──► NextHopTable
//
// The kernel does not keep a neighbour that it never sends to, so each one we need is added as a
// managed neighbour (NTF_EXT_MANAGED), marked as ours (NDA_PROTOCOL), and removed when nobody needs
// it any more; what a killed process left is known by that mark and taken over. Neighbours of
// others are used as they are. A static neighbour of the configuration comes before all of this.
//
// Thread rule: the main loop's thread. Nothing takes longer than 1 ms at a time: targets, requests
// and removals go in steps.
//
// Make before break. A word of the NextHopTable stays while its new hop, or what has become of its
// old one, is pending: it is cleared when the kernel says that there is none, or after hold_limit.
//
// Everything again. Lost netlink messages (ENOBUFS) lead to a dump of neighbours and addresses. It
// begins when what was heard before the loss has been taken in, and is tried again until it ends
// well. What the kernel said about an entry meanwhile is never older than the dump's line, so it
// comes before it.
#pragma once

#include "controlplane/config/configuration.hpp"
#include "dataplane/core/next_hop.hpp"
#include "dataplane/core/snapshot.hpp"
#include "dataplane/dpdk/hop_state.hpp"
#include "dataplane/dpdk/interface_addresses.hpp"
#include "dataplane/dpdk/main_loop.hpp"
#include "dataplane/dpdk/netlink.hpp"
#include "dataplane/dpdk/port_facts.hpp"
#include "dataplane/dpdk/route_requests.hpp"

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace penstock {

class Neighbours {
public:
    /// Opens netlink and reads the kernel's neighbours and addresses (blocks: call it at start).
    /// Without a port that has a kernel interface the kernel is not asked at all. An error: netlink
    /// is refused, or a static neighbour names no port.
    [[nodiscard]] static std::expected<std::unique_ptr<Neighbours>, Refusal> create(
        MainLoop& loop,
        std::span<const PortDescription> ports,
        std::span<const config::NeighbourConfig> statics,
        NextHopTable& next_hops
    );

    Neighbours(const Neighbours&) = delete;
    Neighbours& operator=(const Neighbours&) = delete;

    /// Removes the managed neighbours that we added.
    ~Neighbours();

    using Targets = std::vector<Snapshot::Target>;

    /// Begins to ask for the targets of a snapshot that is about to be published; targets of
    /// earlier ones stay until drop_old_targets().
    void set_targets(std::shared_ptr<const Targets> targets);

    /// The targets of the last set_targets() are the only ones in use: forgets the others.
    void drop_old_targets();

    /// True once every target has its next hop or a reason why not.
    [[nodiscard]] bool is_settled() const;

    /// By BackendId; meaningful for the targets of the last snapshot.
    [[nodiscard]] const std::vector<HopState>& states() const { return states_; }

    /// Of each family, the first usable address of the first port that has one.
    [[nodiscard]] TunnelSources default_tunnel_sources() const {
        return addresses_.tunnel_sources();
    }

    /// Calls `handler` whenever default_tunnel_sources() has changed.
    void on_source_change(std::function<void()> handler) { source_changed_ = std::move(handler); }

private:
    using HopKey = std::pair<std::uint32_t, IpAddress>; ///< interface, address on it

    /// An address of targets, with its route.
    struct Destination {
        struct User {
            BackendId backend;
            Forwarding forwarding;
        };

        IpAddress address;
        std::vector<User> users;
        HopProblem problem = HopProblem::pending; ///< of the route; none: see the neighbour
        bool has_gateway = false;
        std::optional<NextHop> fixed;                          ///< a static neighbour
        std::optional<HopKey> hop;                             ///< where to look in hops_
        std::optional<MainLoop::Clock::time_point> held_until; ///< its old words stay until then
    };

    /// A neighbour of one of our interfaces, needed or not.
    struct Hop {
        std::optional<MacAddress> mac;
        HopProblem problem = HopProblem::pending; ///< of the neighbour, if it has no MAC
        bool is_managed = false;                  ///< kept resolved by the kernel, or permanent
        bool is_ours = false;                     ///< to be removed in the end
        bool is_seen = true;                      ///< by the dump that is running
        std::unordered_set<Destination*> destinations; ///< that need it
    };

    Neighbours(MainLoop& loop, NextHopTable& next_hops);
    [[nodiscard]] std::expected<void, Refusal> open(std::span<const PortDescription> ports);
    [[nodiscard]] std::expected<void, Refusal> read_kernel();

    [[nodiscard]] bool uses_kernel() const { return requests_ != nullptr; }

    void receive(Netlink& netlink);
    void take(const RouteAnswer& answer);
    void take(const NeighbourEvent& event);
    void take_line(const NeighbourEvent& line);
    void set_hop(const NeighbourEvent& event);
    void take(const AddressEvent& event);
    void take(const RoutingEvent& event);
    void take(const RequestEnd& end);
    void take(const MessagesLost& lost);

    void schedule_step();
    void step();
    void place(const Snapshot::Target& target);
    void unplace(BackendId backend);
    void ask_routes();
    void follow(Destination& destination, const RouteAnswer& answer);
    void attach(Destination& destination, const HopKey& key);
    void detach(Destination& destination);
    void manage(const HopKey& key, Hop& hop);
    void lose(const HopKey& key, Hop& hop);
    void update(Destination& destination);
    void update(const Hop& hop);
    void reroute_all();
    void hold(Destination& destination);
    void drop_held();
    void require_dump();
    void try_dump(bool is_dry);
    void end_dump(int error);
    void end_neighbour_dump();
    void end_address_dump();
    void retry_failed();
    void check_source();

    MainLoop& loop_;
    NextHopTable& next_hops_;
    std::unique_ptr<Netlink> requests_;
    std::unique_ptr<Netlink> changes_;
    std::map<std::uint32_t, PortId> ports_; ///< by ifindex
    std::map<IpAddress, NextHop> statics_;

    std::shared_ptr<const Targets> targets_;
    std::size_t next_target_ = 0;          ///< of targets_, to be placed
    std::size_t next_drop_ = max_backends; ///< backend id to be looked at by drop_old_targets()
    std::uint64_t mark_ = 0;               ///< of the last set_targets()
    std::vector<std::uint64_t> marks_;     ///< by BackendId: the set_targets() that last named it
    std::vector<Destination*> destination_of_; ///< by BackendId
    std::vector<HopState> states_;             ///< by BackendId
    std::map<IpAddress, Destination> destinations_;
    std::map<HopKey, Hop> hops_;

    RouteRequests routes_;
    std::map<std::uint32_t, HopKey> asked_hops_; ///< by sequence
    std::deque<IpAddress> held_;                 ///< destinations, by held_until

    std::uint32_t neighbour_dump_ = 0; ///< its sequence; 0: none runs
    std::uint32_t address_dump_ = 0;
    bool is_dump_due_ = false;
    MainLoop::Clock::time_point dump_limit_; ///< of the dump that runs
    std::set<HopKey> heard_hops_;            ///< events of them came while the dump ran
    InterfaceAddresses addresses_;
    TunnelSources last_sources_;
    std::function<void()> source_changed_;
    MainLoop::Timer step_timer_;
    MainLoop::Timer reroute_timer_;
    MainLoop::Timer retry_timer_;
    MainLoop::Timer dump_timer_;
    MainLoop::Timer hold_timer_;
};

} // namespace penstock
