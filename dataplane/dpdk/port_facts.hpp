// SPDX-License-Identifier: Apache-2.0
// What the two halves of this folder know of each other: the packet half (EAL, ports, workers,
// steering) describes itself with PortDescription and WorkerDescription, and does through
// PortControl what the control half (control.hpp: socket, builder, next hops) asks of it.
//
// Thread rule: descriptions are plain values, fixed once the ports have started. PortControl is
// called on the main lcore's thread only, and none of its functions may block longer than 1 ms.
#pragma once

#include "dataplane/api/messages.hpp"
#include "dataplane/api/refusal.hpp"
#include "dataplane/core/addresses.hpp"
#include "dataplane/core/identity.hpp"
#include "dataplane/dpdk/steered_traffic.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace penstock {

/// A started port.
struct PortDescription {
    PortId id;                            ///< its index in the configuration
    std::string name;                     ///< of [[dataplane.port]]
    std::string device;                   ///< kernel interface, PCI address or vdev
    std::string driver;                   ///< "net_af_xdp"
    std::optional<std::uint32_t> ifindex; ///< nothing: no kernel interface, only static neighbours
    MacAddress mac;
    std::uint16_t mtu = 1500;
};

/// A launched worker.
struct WorkerDescription {
    std::uint32_t lcore = 0;
    std::vector<WorkerQueue> queues;
};

/// What changes of a port while it runs.
struct PortObservation {
    LinkState link = LinkState::down;
    std::optional<SteeringCounters> steering; ///< nothing: no XDP program
};

/// How long after a VIP left steering its last packets may stand in a receive ring: 2048 packets at
/// the slowest rate seen, 0.2 Mpps on veth.
inline constexpr std::chrono::milliseconds ring_drain_time{10};

/// What the control half asks of the packet half.
class PortControl {
public:
    PortControl() = default;
    PortControl(const PortControl&) = delete;
    PortControl& operator=(const PortControl&) = delete;
    virtual ~PortControl() = default;

    /// Makes `vips` the addresses whose traffic, ARP and neighbour solicitations come to the
    /// workers; those no longer in it go to the kernel again. Called twice around a change, so
    /// that a VIP's packets reach a worker only while its snapshot knows the VIP: with the VIPs
    /// that stay, ring_drain_time before the new snapshot is published, and with the new ones after
    /// the grace period. An error must leave the set as it was.
    [[nodiscard]] virtual std::expected<void, Refusal> steer_vips(std::span<const IpPrefix> vips
    ) = 0;

    /// Makes the ICMP errors come to the workers that quote a packet of these tunnels. After an
    /// error it may be called again.
    [[nodiscard]] virtual std::expected<void, Refusal> steer_tunnels(const TunnelMarks& tunnels
    ) = 0;

    /// These VIPs have just become live here: tell the neighbours by and by (announcement.hpp).
    /// Must not fail loudly: a lost announcement is what ARP and ND are made for.
    virtual void announce_vips(std::span<const IpAddress> vips) = 0;

    /// Now, for GetStatus.
    [[nodiscard]] virtual PortObservation observe_port(PortId port) = 0;
};

} // namespace penstock
