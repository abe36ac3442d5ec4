// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/port.hpp"

#include "dataplane/dpdk/device_refusal.hpp"
#include "dataplane/dpdk/dpdk_log.hpp"
#include "dataplane/dpdk/eal_arguments.hpp"
#include "dataplane/dpdk/place_text.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <spdlog/spdlog.h>

namespace penstock {

namespace {

// Deep enough for a stall of the worker of some 100 µs at 10 Mpps, small enough to stay in the
// cache.
constexpr std::uint16_t device_descriptors = 1024;
// net_af_xdp makes its rings of this size whatever one asks for the fill ring.
constexpr std::uint16_t af_xdp_descriptors = 2048;

constexpr std::uint64_t wanted_rss = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;

// Ends the capture before the caller asks what was said.
template <typename Call>
int call_quietly(Call&& call) {
    const StderrCapture capture;
    return call();
}

} // namespace

std::string af_xdp_arguments(
    PortId id, const std::string& interface, std::size_t queues, const std::string& program_path
) {
    return fmt::format(
        "net_af_xdp{},iface={},start_queue=0,queue_count={},xdp_prog={}",
        id.value,
        interface,
        queues,
        program_path
    );
}

std::expected<std::unique_ptr<Port>, Refusal> Port::open(
    PortId id,
    const config::PortConfig& config,
    std::unique_ptr<InterfaceClaim> claim,
    std::span<const PacketPool> pools
) {
    auto port = std::unique_ptr<Port>(new Port());
    port->claim_ = std::move(claim);
    port->description_.id = id;
    port->description_.name = config.name;
    port->description_.device = config.interface ? *config.interface : *config.device;
    forget_dpdk_log();

    const std::string place = place_text(config.place);
    std::expected<void, Refusal> step = port->probe(config, pools.size());
    if (step) {
        step = port->configure(config, pools);
    }
    if (step) {
        step = port->start(place);
    }
    if (step) {
        step = port->open_exception_path(config, pools);
    }
    if (!step) {
        return std::unexpected(step.error());
    }
    return port;
}

std::expected<void, Refusal> Port::probe(const config::PortConfig& config, std::size_t workers) {
    const std::string place = place_text(config.place);
    std::string arguments = description_.device;
    if (claim_) {
        auto object = bpf::write_steering_object();
        if (!object) {
            return std::unexpected(Refusal{place, object.error().cause, object.error().remedy});
        }
        object_ = std::move(*object);
        arguments =
            af_xdp_arguments(description_.id, claim_->facts().name, workers, object_->path());
    }
    const std::string name = arguments.substr(0, arguments.find(','));
    const bool is_nic = !claim_ && is_pci_address(name);
    if (!is_nic) {
        if (::rte_eth_dev_get_port_by_name(name.c_str(), &dpdk_port_) == 0) {
            return std::unexpected(Refusal{
                place,
                fmt::format("device {} is already used by another port", name),
                "give each port a device of its own (net_ring0, net_ring1, …)"
            });
        }
        const int error = call_quietly([&] { return ::rte_dev_probe(arguments.c_str()); });
        if (error != 0) {
            return std::unexpected(dpdk_refusal(
                place,
                fmt::format("DPDK cannot open {}", arguments),
                error,
                claim_ ? "run with --log-level debug for all that DPDK says"
                       : "check the name of the driver and its arguments (doc.dpdk.org/guides/nics)"
            ));
        }
    }
    if (::rte_eth_dev_get_port_by_name(name.c_str(), &dpdk_port_) != 0) {
        return std::unexpected(
            is_nic ? explain_missing_nic(place, name)
                   : dpdk_refusal(
                         place,
                         fmt::format("{} is no network device", name),
                         ENODEV,
                         "name a driver of the class net (net_pcap0, net_tap0, …)"
                     )
        );
    }
    is_probed_ = true;
    return {};
}

std::expected<void, Refusal>
Port::configure(const config::PortConfig& config, std::span<const PacketPool> pools) {
    const std::string place = place_text(config.place);
    rte_eth_dev_info info{};
    if (const int error = ::rte_eth_dev_info_get(dpdk_port_, &info); error != 0) {
        return std::unexpected(dpdk_refusal(place, "DPDK cannot describe it", error, "report it"));
    }
    description_.driver = info.driver_name;
    // The kernel's end of a TAP is the peer of this port, not its twin: its neighbours are not
    // ours.
    if (info.if_index != 0 && description_.driver != "net_tap") {
        description_.ifindex = info.if_index;
    }
    if (auto chosen = choose_queues(place, pools.size(), info); !chosen) {
        return chosen;
    }
    const bool says_segments = (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
    // net_pcap gathers what it writes, and announces nothing.
    sends_segments_ = says_segments || description_.driver == "net_pcap";

    rte_eth_conf conf{};
    const std::uint64_t rss = wanted_rss & info.flow_type_rss_offloads;
    if (rx_queues_ > 1 && rss != 0) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = rss;
    } else if (rx_queues_ > 1 && !claim_) {
        spdlog::warn(
            "port {}: driver {} does not say how it spreads flows over its {} queues",
            description_.name,
            description_.driver,
            rx_queues_
        );
    }
    const std::size_t room = ::rte_pktmbuf_data_room_size(pools.front().get());
    if (config.mtu && *config.mtu + std::size_t{RTE_PKTMBUF_HEADROOM} + RTE_ETHER_HDR_LEN > room) {
        conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER & info.rx_offload_capa;
    }
    if (says_segments) {
        conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    }
    const int error = ::rte_eth_dev_configure(
        dpdk_port_,
        static_cast<std::uint16_t>(rx_queues_),
        static_cast<std::uint16_t>(pools.size()),
        &conf
    );
    if (error != 0) {
        return std::unexpected(dpdk_refusal(
            place,
            fmt::format("{} does not take {} queues", description_.device, pools.size()),
            error,
            "configure fewer workers"
        ));
    }
    if (auto chosen = choose_mtu(config); !chosen) {
        return chosen;
    }
    auto queues = set_up_queues(pools, conf.rxmode.offloads);
    if (!queues) {
        queues.error().place = place;
        return queues;
    }
    return claim_ ? find_steering(place) : std::expected<void, Refusal>{};
}

std::expected<void, Refusal>
Port::choose_queues(const std::string& place, std::size_t workers, const rte_eth_dev_info& info) {
    if (info.max_tx_queues < workers) {
        return std::unexpected(Refusal{
            place,
            fmt::format(
                "{} ({}) has {} transmit queues, but every one of the {} workers needs one",
                description_.device,
                description_.driver,
                info.max_tx_queues,
                workers
            ),
            fmt::format("configure at most {} workers", info.max_tx_queues)
        });
    }
    rx_queues_ = std::min<std::size_t>(workers, info.max_rx_queues);
    if (rx_queues_ < workers) {
        spdlog::warn(
            "port {}: {} has {} receive queues, so workers from {} on receive nothing from it",
            description_.name,
            description_.driver,
            rx_queues_,
            rx_queues_
        );
    }
    return {};
}

std::expected<void, Refusal> Port::choose_mtu(const config::PortConfig& config) {
    if (claim_) {
        // The kernel's MTU stays the kernel's: ours is what we send at most.
        description_.mtu = config.mtu.value_or(static_cast<std::uint16_t>(claim_->facts().mtu));
        return {};
    }
    if (config.mtu) {
        const int error = ::rte_eth_dev_set_mtu(dpdk_port_, *config.mtu);
        // A driver that knows no MTU (pcap, ring) sends what it is given.
        if (error != 0 && error != -ENOTSUP) {
            return std::unexpected(dpdk_refusal(
                place_text(config.place),
                fmt::format("{} does not take mtu = {}", description_.device, *config.mtu),
                error,
                "lower it"
            ));
        }
        description_.mtu = *config.mtu;
        return {};
    }
    if (::rte_eth_dev_get_mtu(dpdk_port_, &description_.mtu) != 0) {
        description_.mtu = RTE_ETHER_MTU;
    }
    return {};
}

std::expected<void, Refusal>
Port::set_up_queues(std::span<const PacketPool> pools, std::uint64_t rx_offloads) {
    const auto refuse = [&](const char* direction, std::size_t queue, int error) {
        return std::unexpected(dpdk_refusal(
            "",
            fmt::format(
                "{} queue {} of {} cannot be set up", direction, queue, description_.device
            ),
            error,
            claim_ ? "check that nothing else has an AF_XDP socket on it (ss --xdp)"
                   : "run with --log-level debug for all that DPDK says"
        ));
    };
    std::uint16_t rx_descriptors = claim_ ? af_xdp_descriptors : device_descriptors;
    std::uint16_t tx_descriptors = rx_descriptors;
    if (const int error =
            ::rte_eth_dev_adjust_nb_rx_tx_desc(dpdk_port_, &rx_descriptors, &tx_descriptors);
        error != 0) {
        return refuse("the", 0, error);
    }
    const auto node = static_cast<unsigned>(::rte_eth_dev_socket_id(dpdk_port_));
    rte_eth_dev_info info{};
    (void)::rte_eth_dev_info_get(dpdk_port_, &info);
    rte_eth_rxconf rx_conf = info.default_rxconf;
    rx_conf.offloads = rx_offloads;
    const auto rx_queues = static_cast<std::uint16_t>(rx_queues_);
    const auto tx_queues = static_cast<std::uint16_t>(pools.size());
    for (std::uint16_t queue = 0; queue < rx_queues; ++queue) {
        const int error = call_quietly([&] {
            return ::rte_eth_rx_queue_setup(
                dpdk_port_, queue, rx_descriptors, node, &rx_conf, pools[queue].get()
            );
        });
        if (error != 0) {
            return refuse("receive", queue, error);
        }
    }
    for (std::uint16_t queue = 0; queue < tx_queues; ++queue) {
        const int error =
            ::rte_eth_tx_queue_setup(dpdk_port_, queue, tx_descriptors, node, nullptr);
        if (error != 0) {
            return refuse("transmit", queue, error);
        }
    }
    return {};
}

std::expected<void, Refusal> Port::find_steering(const std::string& place) {
    auto found = bpf::find_steering(claim_->facts().index);
    if (!found) {
        return std::unexpected(Refusal{place, found.error().cause, found.error().remedy});
    }
    steering_ = std::move(*found);
    spdlog::info(
        "port {}: steering attached to {} ({} mode)",
        description_.name,
        description_.device,
        bpf::attach_mode_name(steering_->mode())
    );
    return {};
}

std::expected<void, Refusal> Port::start(const std::string& place) {
    if (const int error = ::rte_eth_dev_start(dpdk_port_); error != 0) {
        return std::unexpected(dpdk_refusal(
            place,
            fmt::format("{} does not start", description_.device),
            error,
            "run with --log-level debug for all that DPDK says"
        ));
    }
    rte_ether_addr mac{};
    if (const int error = ::rte_eth_macaddr_get(dpdk_port_, &mac); error != 0) {
        return std::unexpected(dpdk_refusal(place, "no MAC address", error, "report it"));
    }
    std::memcpy(description_.mac.bytes.data(), mac.addr_bytes, sizeof(mac.addr_bytes));
    spdlog::info(
        "port {}: {} ({}), MAC {}, MTU {}, {} receive queues",
        description_.name,
        description_.device,
        description_.driver,
        description_.mac.to_string(),
        description_.mtu,
        rx_queues_
    );
    return {};
}

std::expected<void, Refusal>
Port::open_exception_path(const config::PortConfig& config, std::span<const PacketPool> pools) {
    if (!config.exception) {
        return {};
    }
    auto path = ExceptionPath::open(
        {.port = description_.id,
         .interface = *config.exception,
         .place = place_text(config.exception_place),
         .mac = description_.mac,
         .mtu = description_.mtu},
        pools
    );
    if (!path) {
        return std::unexpected(path.error());
    }
    exception_ = std::move(*path);
    // The interface that the kernel routes by and resolves on; a twin that the driver named is not.
    description_.ifindex = exception_->ifindex();
    return {};
}

Port::~Port() {
    exception_.reset();
    if (!is_probed_) {
        return;
    }
    const StderrCapture capture;
    if (const int error = ::rte_eth_dev_stop(dpdk_port_); error != 0 && error != -ENOTSUP) {
        spdlog::warn("port {}: does not stop: {}", description_.name, ::rte_strerror(-error));
    }
    if (const int error = ::rte_eth_dev_close(dpdk_port_); error != 0) {
        spdlog::warn("port {}: does not close: {}", description_.name, ::rte_strerror(-error));
    }
}

PortObservation Port::observe() {
    PortObservation observation;
    if (claim_) {
        // net_af_xdp says "up" whatever the kernel sees.
        if (const auto facts = read_interface_facts(claim_->facts().name)) {
            observation.link = facts->is_up && facts->has_carrier ? LinkState::up : LinkState::down;
        }
    } else {
        rte_eth_link link{};
        if (::rte_eth_link_get_nowait(dpdk_port_, &link) == 0) {
            observation.link =
                link.link_status == RTE_ETH_LINK_UP ? LinkState::up : LinkState::down;
        }
    }
    if (steering_) {
        if (const auto counters = steering_->read_counters()) {
            observation.steering = SteeringCounters{
                .to_workers = counters->redirected + counters->tunnel_error,
                .to_kernel = counters->passed + counters->malformed,
                .without_socket = counters->dropped_no_socket
            };
        } else {
            spdlog::warn("port {}: {}", description_.name, counters.error().text());
        }
    }
    return observation;
}

} // namespace penstock
