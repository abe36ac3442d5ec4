// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/exception_path.hpp"

#include "dataplane/dpdk/device_refusal.hpp"
#include "dataplane/dpdk/dpdk_log.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace penstock {

namespace {

// The kernel's own traffic comes in small bursts; the TAP's queue in the kernel holds 1000 more.
constexpr std::uint16_t descriptors = 256;

// Of a frame, beside its MTU: what net_tap sends at most.
constexpr std::uint32_t frame_overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + RTE_VLAN_HLEN;

} // namespace

std::expected<std::unique_ptr<ExceptionPath>, Refusal>
ExceptionPath::open(const Setup& setup, std::span<const PacketPool> pools) {
    if (::if_nametoindex(setup.interface.c_str()) != 0) {
        return std::unexpected(Refusal{
            setup.place,
            fmt::format("there is an interface {} already", setup.interface),
            "give the exception path a name of its own: penstock-dp makes that interface"
        });
    }
    auto path = std::unique_ptr<ExceptionPath>(new ExceptionPath());
    path->interface_ = setup.interface;
    forget_dpdk_log();
    std::expected<void, Refusal> step = path->probe(setup);
    if (step) {
        step = path->start(setup, pools);
    }
    if (!step) {
        return std::unexpected(step.error());
    }
    path->ifindex_ = ::if_nametoindex(setup.interface.c_str());
    spdlog::info(
        "port {}: the kernel's way is interface {}, MTU {}",
        setup.port.value,
        setup.interface,
        path->mtu_
    );
    if (path->mtu_ < setup.mtu) {
        spdlog::warn(
            "interface {} takes no larger packets, its port up to {}: DPDK's TAP driver ends "
            "there. "
            "Hosts that speak with this node itself must do with {}",
            setup.interface,
            setup.mtu,
            path->mtu_
        );
    }
    return path;
}

std::expected<void, Refusal> ExceptionPath::probe(const Setup& setup) {
    // A number far from those that operators give to devices of their own.
    const std::string name = fmt::format("net_tap{}", 9000 + setup.port.value);
    const std::string arguments =
        fmt::format("{},iface={},mac={}", name, setup.interface, setup.mac.to_string());
    int error = 0;
    {
        const StderrCapture capture;
        error = ::rte_dev_probe(arguments.c_str());
    }
    if (error != 0 || ::rte_eth_dev_get_port_by_name(name.c_str(), &dpdk_port_) != 0) {
        return std::unexpected(dpdk_refusal(
            setup.place,
            fmt::format("no TAP interface {} can be made", setup.interface),
            error != 0 ? error : ENODEV,
            "check that /dev/net/tun exists and that penstock-dp has cap_net_admin"
        ));
    }
    is_probed_ = true;
    return {};
}

std::expected<void, Refusal>
ExceptionPath::start(const Setup& setup, std::span<const PacketPool> pools) {
    const auto refuse = [&](const char* what, int error) {
        return std::unexpected(dpdk_refusal(
            setup.place,
            fmt::format("TAP interface {}: {}", setup.interface, what),
            error,
            "run with --log-level debug for all that DPDK says"
        ));
    };
    const auto queues = static_cast<std::uint16_t>(pools.size());
    const StderrCapture capture;
    rte_eth_dev_info info{};
    (void)::rte_eth_dev_info_get(dpdk_port_, &info);
    rte_eth_conf conf{};
    const std::size_t room = ::rte_pktmbuf_data_room_size(pools.front().get());
    if (setup.mtu + std::size_t{RTE_PKTMBUF_HEADROOM} + RTE_ETHER_HDR_LEN > room) {
        conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER & info.rx_offload_capa;
    }
    conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS & info.tx_offload_capa;
    if (const int error = ::rte_eth_dev_configure(dpdk_port_, queues, queues, &conf); error != 0) {
        return refuse("one queue a worker is too many", error);
    }
    rte_eth_rxconf rx_conf = info.default_rxconf;
    rx_conf.offloads = conf.rxmode.offloads;
    for (std::uint16_t queue = 0; queue < queues; ++queue) {
        rte_mempool* const pool = pools[queue].get();
        int error =
            ::rte_eth_rx_queue_setup(dpdk_port_, queue, descriptors, SOCKET_ID_ANY, &rx_conf, pool);
        if (error == 0) {
            error =
                ::rte_eth_tx_queue_setup(dpdk_port_, queue, descriptors, SOCKET_ID_ANY, nullptr);
        }
        if (error != 0) {
            return refuse("a queue cannot be set up", error);
        }
    }
    // net_tap says 1522 bytes, and DPDK refuses an MTU beyond that.
    mtu_ = std::min<std::uint16_t>(setup.mtu, RTE_ETHER_MTU);
    if (const int error = ::rte_eth_dev_set_mtu(dpdk_port_, mtu_); error != 0) {
        return refuse("it does not take its MTU", error);
    }
    if (const int error = ::rte_eth_dev_start(dpdk_port_); error != 0) {
        return refuse("it does not start", error);
    }
    return {};
}

std::uint32_t ExceptionPath::frame_bytes() const {
    return mtu_ + frame_overhead;
}

ExceptionPath::~ExceptionPath() {
    if (!is_probed_) {
        return;
    }
    const StderrCapture capture;
    (void)::rte_eth_dev_stop(dpdk_port_); // closing ends what stopping could not
    if (const int error = ::rte_eth_dev_close(dpdk_port_); error != 0) {
        spdlog::warn("interface {} does not close: {}", interface_, ::rte_strerror(-error));
    }
}

} // namespace penstock
