// SPDX-License-Identifier: Apache-2.0
// One configured port, driven by DPDK: a kernel interface by AF_XDP with our steering, a bound NIC,
// or a vdev. One transmit queue a worker; one receive queue a worker, or fewer if the driver has
// fewer.
//
// Thread rule: everything here is called on the main lcore; workers use the queues by number only.
#pragma once

#include "bpf/steering.hpp"
#include "controlplane/config/configuration.hpp"
#include "dataplane/api/refusal.hpp"
#include "dataplane/dpdk/exception_path.hpp"
#include "dataplane/dpdk/interface_claim.hpp"
#include "dataplane/dpdk/packet_pool.hpp"
#include "dataplane/dpdk/port_facts.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>

struct rte_eth_dev_info;

namespace penstock {

/// Makes of a configured port the arguments of DPDK's net_af_xdp: "net_af_xdp0,iface=eth1,…".
[[nodiscard]] std::string af_xdp_arguments(
    PortId id, const std::string& interface, std::size_t queues, const std::string& program_path
);

class Port {
public:
    /// Opens, configures and starts the port. `claim` is that of the interface, or null for a
    /// device; `pools` has one entry a worker. On error the device is closed again.
    [[nodiscard]] static std::expected<std::unique_ptr<Port>, Refusal> open(
        PortId id,
        const config::PortConfig& config,
        std::unique_ptr<InterfaceClaim> claim,
        std::span<const PacketPool> pools
    );

    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;

    /// Stops and closes the device; steering is detached. REQUIRES: no worker uses it.
    ~Port();

    [[nodiscard]] const PortDescription& description() const { return description_; }

    [[nodiscard]] std::uint16_t dpdk_port() const { return dpdk_port_; }

    /// Workers 0 … rx_queues() - 1 receive here, each from the queue of its number.
    [[nodiscard]] std::size_t rx_queues() const { return rx_queues_; }

    /// The driver sends packets that have several segments.
    [[nodiscard]] bool sends_segments() const { return sends_segments_; }

    /// DPDK's number of the way to the kernel; nothing: there is none.
    [[nodiscard]] std::optional<std::uint16_t> exception_port() const {
        return exception_ ? std::optional(exception_->dpdk_port()) : std::nullopt;
    }

    /// The largest frame that can go to the kernel. Without a way there: any.
    [[nodiscard]] std::uint32_t exception_frame_bytes() const {
        return exception_ ? exception_->frame_bytes() : UINT32_MAX;
    }

    /// Null for a port without steering: everything that arrives goes to the workers.
    [[nodiscard]] bpf::Steering* steering() { return steering_ ? &*steering_ : nullptr; }

    [[nodiscard]] PortObservation observe();

private:
    Port() = default;
    [[nodiscard]] std::expected<void, Refusal>
    probe(const config::PortConfig& config, std::size_t workers);
    [[nodiscard]] std::expected<void, Refusal>
    configure(const config::PortConfig& config, std::span<const PacketPool> pools);
    [[nodiscard]] std::expected<void, Refusal>
    choose_queues(const std::string& place, std::size_t workers, const rte_eth_dev_info& info);
    [[nodiscard]] std::expected<void, Refusal>
    set_up_queues(std::span<const PacketPool> pools, std::uint64_t rx_offloads);
    [[nodiscard]] std::expected<void, Refusal> choose_mtu(const config::PortConfig& config);
    [[nodiscard]] std::expected<void, Refusal> start(const std::string& place);
    [[nodiscard]] std::expected<void, Refusal> find_steering(const std::string& place);
    [[nodiscard]] std::expected<void, Refusal>
    open_exception_path(const config::PortConfig& config, std::span<const PacketPool> pools);

    std::unique_ptr<InterfaceClaim> claim_; // outlives the device
    std::optional<bpf::SteeringObject> object_;
    std::optional<bpf::Steering> steering_;
    std::unique_ptr<ExceptionPath> exception_;
    PortDescription description_;
    std::uint16_t dpdk_port_ = 0;
    bool is_probed_ = false;
    std::size_t rx_queues_ = 0;
    bool sends_segments_ = false;
};

} // namespace penstock
