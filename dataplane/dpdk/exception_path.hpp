// SPDX-License-Identifier: Apache-2.0
// The way between the kernel and a port that DPDK owns: a TAP interface (DPDK's net_tap) that the
// kernel uses as if it were the NIC. What is no VIP's goes from the port to the TAP, what the
// kernel sends goes from the TAP out of the port; one queue a worker, so workers share nothing.
//
// The interface lives as long as this object: addresses and routes on it go with it, and whoever
// configures them (systemd-networkd, ifupdown) must do so whenever it appears.
//
// Thread rule: made and closed on the main lcore; workers use the queues by number only.
#pragma once

#include "dataplane/api/refusal.hpp"
#include "dataplane/core/addresses.hpp"
#include "dataplane/core/identity.hpp"
#include "dataplane/dpdk/packet_pool.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>

namespace penstock {

class ExceptionPath {
public:
    struct Setup {
        PortId port; ///< that it belongs to
        std::string interface;
        std::string place;     ///< of its name in the configuration
        MacAddress mac;        ///< of the port
        std::uint16_t mtu = 0; ///< of the port; DPDK's TAP takes 1500 at most
    };

    /// Makes the interface, up. One queue each way for each of `pools`. Refuses if there is an
    /// interface of that name.
    [[nodiscard]] static std::expected<std::unique_ptr<ExceptionPath>, Refusal>
    open(const Setup& setup, std::span<const PacketPool> pools);

    ExceptionPath(const ExceptionPath&) = delete;
    ExceptionPath& operator=(const ExceptionPath&) = delete;

    /// The interface goes. REQUIRES: no worker uses it.
    ~ExceptionPath();

    [[nodiscard]] std::uint16_t dpdk_port() const { return dpdk_port_; }

    /// The largest frame that goes to the kernel.
    [[nodiscard]] std::uint32_t frame_bytes() const;

    /// Of the kernel's interface.
    [[nodiscard]] std::uint32_t ifindex() const { return ifindex_; }

private:
    ExceptionPath() = default;
    [[nodiscard]] std::expected<void, Refusal> probe(const Setup& setup);
    [[nodiscard]] std::expected<void, Refusal>
    start(const Setup& setup, std::span<const PacketPool> pools);

    std::string interface_;
    std::uint16_t dpdk_port_ = 0;
    std::uint32_t ifindex_ = 0;
    std::uint16_t mtu_ = 0;
    bool is_probed_ = false;
};

} // namespace penstock
