// SPDX-License-Identifier: Apache-2.0
// All ports of this dataplane, and what the control half asks of them.
//
// Steering and snapshots. A VIP's packets must reach a worker only while the snapshot it reads
// knows the VIP; what arrives outside that time would be dropped, by our own doing. So the control
// half calls steer_vips() twice around a publication:
//
//   before:                 the VIPs that the old and the new snapshot share. A VIP that goes is
//                           the kernel's from here on, while workers still know it: what stands in
//                           the rings is forwarded (ring_drain_time).
//   after the grace period: the VIPs of the new snapshot. A VIP that comes is steered only now,
//                           when every worker knows it.
//
// Thread rule: the main lcore.
#pragma once

#include "dataplane/dpdk/announcement.hpp"
#include "dataplane/dpdk/port.hpp"
#include "dataplane/dpdk/port_facts.hpp"

#include <expected>
#include <memory>
#include <span>
#include <vector>

namespace penstock {

class PortSet final : public PortControl {
public:
    /// In the order of the configuration: a port's place is its PortId.
    explicit PortSet(std::vector<std::unique_ptr<Port>> ports) : ports_(std::move(ports)) {}

    /// Of all ports or of none.
    [[nodiscard]] std::expected<void, Refusal> steer_vips(std::span<const IpPrefix> vips) override;

    /// The first error ends it; ports before it have what was asked.
    [[nodiscard]] std::expected<void, Refusal> steer_tunnels(const TunnelMarks& tunnels) override;

    /// On ports with a kernel interface, exception paths among them: any other has no way from this
    /// thread to its wire. One system call for each VIP and port.
    void announce_vips(std::span<const IpAddress> vips) override;

    [[nodiscard]] PortObservation observe_port(PortId port) override;

    [[nodiscard]] const std::vector<std::unique_ptr<Port>>& ports() const { return ports_; }

private:
    std::vector<std::unique_ptr<Port>> ports_;
    Announcer announcer_;
};

} // namespace penstock
