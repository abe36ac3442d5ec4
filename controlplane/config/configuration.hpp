// SPDX-License-Identifier: Apache-2.0
// The configuration file as values: what `penstock check`, `penstock apply`, penstock-cp and
// penstock-dp all read through the one parser (parse.hpp).
//
// Thread rule: plain values. Everything here has passed validation: a Configuration that exists can
// be compiled. Each value that the environment may still refuse keeps its origin in the file, so
// that "there is no interface eth9" can point at the line (diagnose() in diagnostic.hpp). Origins
// do not take part in comparisons.
#pragma once

#include "controlplane/config/api_config.hpp"
#include "controlplane/config/health_policy.hpp"
#include "controlplane/config/place.hpp"
#include "controlplane/config/probe_config.hpp"
#include "dataplane/core/desired_state.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::config {

struct NodeConfig {
    std::string name; ///< [node] name, required
    Origin place;     ///< of [node]

    friend bool operator==(const NodeConfig&, const NodeConfig&) = default;
};

/// [[dataplane.port]]: exactly one of `interface` and `device`.
struct PortConfig {
    std::string name;
    std::optional<std::string> interface; ///< kernel interface, driven by AF_XDP
    std::optional<std::string> device;    ///< PCI address of a bound NIC, or a vdev ("net_pcap0,…")
    std::optional<std::uint16_t> mtu;     ///< nothing: what the interface or driver says
    std::optional<std::string>
        exception; ///< with `device`: the kernel interface that stands for it
    Origin exception_place;
    std::optional<std::uint16_t> vlan; ///< the one VLAN it stands in; nothing: tags are kept
    Origin place;                      ///< of the value of `interface` or `device`

    friend bool operator==(const PortConfig&, const PortConfig&) = default;
};

/// [[dataplane.neighbour]]: a MAC that the kernel is not asked for; `port` is the name of a port.
struct NeighbourConfig {
    IpAddress address;
    MacAddress mac;
    std::string port;
    Origin place; ///< of the value of `address`

    friend bool operator==(const NeighbourConfig&, const NeighbourConfig&) = default;
};

enum class IdleMode : std::uint8_t {
    automatic, ///< adaptive, unless the worker's core is isolated (then spin)
    spin,
    adaptive,
};

enum class HugepageMode : std::uint8_t {
    automatic, ///< hugepages if the kernel has free ones, else none, and a line that says so
    on,
    off,
};

/// [dataplane]: read by penstock-dp at its start; a change needs a restart of it.
struct DataplaneConfig {
    std::vector<std::uint16_t> workers; ///< lcores (CPU numbers), in order: worker 0, 1, …
    Origin workers_place;               ///< of the whole list
    std::vector<Origin> worker_places;  ///< of each of `workers`, in the same order
    /// Nothing: the first allowed CPU that is no worker, else shared.
    std::optional<std::uint16_t> main_core;
    Origin main_core_place;
    std::vector<PortConfig> ports;
    std::vector<NeighbourConfig> neighbours;
    IdleMode idle = IdleMode::automatic;
    HugepageMode hugepages = HugepageMode::automatic;
    Origin hugepages_place;                     ///< line 0 if the file does not say
    std::uint32_t memory_mb = 256;              ///< for packet buffers and tables
    Origin memory_mb_place;                     ///< line 0 if the file does not say
    std::uint32_t flows_per_worker = 1048576;   ///< capacity of a flow table
    std::uint32_t nat_flows_per_worker = 65536; ///< capacity of a NAT table
    std::vector<std::string> eal_args;          ///< appended as they are
    Origin eal_args_place;                      ///< line 0 if the file does not say

    friend bool operator==(const DataplaneConfig&, const DataplaneConfig&) = default;
};

/// A service with what only the control plane needs of it. `spec.backends[*].health` is unknown, or
/// up for a service with probe type none.
struct ServiceConfig {
    ServiceSpec spec;
    ProbeConfig probe;
    HealthPolicy policy;                ///< `health`
    Origin place;                       ///< of [[service]]
    std::vector<Origin> backend_places; ///< of the addresses of spec.backends

    friend bool operator==(const ServiceConfig&, const ServiceConfig&) = default;
};

struct Configuration {
    NodeConfig node;
    std::optional<ApiConfig> api; ///< [api]; nothing: the API listens on its Unix socket alone
    DataplaneConfig dataplane;
    TunnelSources tunnel_sources;       ///< [dataplane] tunnel_source, tunnel_source_ipv6
    FlowTimeouts flow_timeouts;         ///< [flow] tcp_syn, tcp_established, tcp_closing, udp
    std::vector<IpAddress> nat_sources; ///< [nat] source
    AccessSpec access;                  ///< [access]
    std::vector<ServiceConfig> services;

    friend bool operator==(const Configuration&, const Configuration&) = default;
};

// The words of the file for the enumerations above.
[[nodiscard]] std::string_view to_string(IdleMode value);
[[nodiscard]] std::string_view to_string(HugepageMode value);

/// The declaration of this configuration at `generation`, before overrides and health.
[[nodiscard]] DesiredState to_desired_state(
    const Configuration& configuration, const FlowHashKey& key, std::uint64_t generation
);

} // namespace penstock::config
