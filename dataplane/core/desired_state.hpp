// SPDX-License-Identifier: Apache-2.0
// The declaration a snapshot is compiled from: every service whole, never a delta, so that applying
// it is idempotent and a resync is sending it again (ARCHITECTURE.md, "Life of a configuration
// change").
//
// Thread rule: plain values, no sharing. Names are for people; identity is the key. Two
// declarations with equal keys and weights choose backends alike on every node, whatever the names
// and the order.
#pragma once

#include "dataplane/core/addresses.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// IANA protocol numbers of what a service can take.
enum class Protocol : std::uint8_t { tcp = 6, udp = 17 };

/// How a packet reaches its backend. Replies bypass us in both of these.
enum class Forwarding : std::uint8_t {
    l2dsr, ///< the destination MAC becomes the backend's; the backend is on-link
    ipip,  ///< the packet travels inside IP protocol 4 (RFC 2003) to the backend
};

/// What the operator wants of a backend, apart from how it is.
enum class AdminState : std::uint8_t {
    ready,    ///< takes new flows
    drain,    ///< keeps the flows it has, takes no new ones
    disabled, ///< takes nothing: its flows go to other backends at once
};

/// What the probes say. `unknown` is not used: a server is trusted after its first good probe.
enum class Health : std::uint8_t { unknown, up, down };

/// What identifies a service.
struct ServiceKey {
    IpAddress vip;
    Protocol protocol = Protocol::tcp;
    std::uint16_t port = 0; ///< host order, 1 … 65535

    friend constexpr auto operator<=>(const ServiceKey&, const ServiceKey&) = default;
};

/// What identifies a backend within its service.
struct BackendKey {
    IpAddress address;
    std::uint16_t port = 0; ///< host order; the service's port unless forwarding rewrites ports

    friend constexpr auto operator<=>(const BackendKey&, const BackendKey&) = default;
};

struct BackendSpec {
    std::string name;
    BackendKey key;
    std::uint16_t weight = 100; ///< share of new flows relative to the others; 0 takes none
    AdminState admin = AdminState::ready;
    Health health = Health::unknown;

    friend bool operator==(const BackendSpec&, const BackendSpec&) = default;
};

/// A backend that is ready, up and of weight above 0 takes new flows.
[[nodiscard]] bool takes_new_flows(const BackendSpec& backend);

/// A draining backend keeps its flows; those of a disabled one or one that is down go elsewhere.
[[nodiscard]] bool keeps_flows(const BackendSpec& backend);

/// Slots of a Maglev table: primes, because the permutation needs a prime modulus.
inline constexpr std::array<std::uint32_t, 3> maglev_sizes{16381, 65537, 655373};
inline constexpr std::uint32_t default_maglev_size = 65537;

/// Slots of all services together, at most: 600 MB. A configuration must not end the dataplane for want
/// of memory, so one beyond it is refused.
inline constexpr std::uint64_t max_maglev_slots = 300'000'000;

struct ServiceSpec {
    std::string name;
    ServiceKey key;
    Forwarding forwarding = Forwarding::ipip;
    std::uint32_t maglev_size = default_maglev_size; ///< one of maglev_sizes
    std::vector<BackendSpec> backends;

    friend bool operator==(const ServiceSpec&, const ServiceSpec&) = default;
};

/// Idle times after which a flow entry may be forgotten, in seconds; each at least 1 and at most
/// max_flow_timeout_s (flow_table.hpp).
struct FlowTimeouts {
    std::uint16_t tcp_syn_s = 30; ///< only SYNs seen
    std::uint16_t tcp_established_s =
        900;                          ///< as IPVS; a forgotten flow still hashes to its backend
    std::uint16_t tcp_closing_s = 30; ///< FIN or RST seen
    std::uint16_t udp_s = 120;

    friend bool operator==(const FlowTimeouts&, const FlowTimeouts&) = default;
};

/// Key of the flow hash. Secret, one for a pair of nodes, kept in the state directory for ever: a
/// new key would move every flow.
using FlowHashKey = std::array<std::uint8_t, 16>;

struct DesiredState {
    std::uint64_t generation = 0; ///< grows with every change; 0 is none
    FlowHashKey flow_hash_key{};
    FlowTimeouts timeouts;
    std::optional<IpAddress>
        tunnel_source; ///< IPv4 source of outer headers; nothing: the port's own
    std::vector<ServiceSpec> services;

    friend bool operator==(const DesiredState&, const DesiredState&) = default;
};

// The words of the configuration, the API and the logs for the enumerations above.
[[nodiscard]] std::string_view to_string(Protocol value);
[[nodiscard]] std::string_view to_string(Forwarding value);
[[nodiscard]] std::string_view to_string(AdminState value);
[[nodiscard]] std::string_view to_string(Health value);

/// "198.51.100.10:80/tcp", "[2001:db8::1]:80/tcp".
[[nodiscard]] std::string to_string(const ServiceKey& key);

} // namespace penstock
