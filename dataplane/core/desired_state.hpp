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
#include "dataplane/core/ip_prefix.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// IANA protocol numbers of what a service can take.
enum class Protocol : std::uint8_t {
    any = 0, ///< every protocol above IP but ICMP; such a service takes every port
    tcp = 6,
    udp = 17,
};

/// How a packet reaches its backend. Replies bypass us in all but nat. A tunnel's outer header is
/// of the family of the backend's address, whatever the family inside.
enum class Forwarding : std::uint8_t {
    l2dsr, ///< the destination MAC becomes the backend's; the backend is on-link
    ipip,  ///< inside IP protocol 4 or 41 (RFC 2003, 2473, 4213)
    gre,   ///< inside GRE without options (RFC 2784)
    gue,   ///< inside UDP, as Linux FOU/GUE has it (draft-ietf-intarea-gue)
    nat,   ///< destination and source rewritten; replies come back through us
};

/// What of a packet chooses the backend of a new flow.
enum class Affinity : std::uint8_t {
    tuple,       ///< addresses, ports and protocol
    client,      ///< the client's address, or a prefix of it: `affinity_host_bits`
    client_port, ///< the client's address and port, whatever the VIP's port
};

/// What becomes of the flows of a backend that goes down.
enum class DownPolicy : std::uint8_t {
    rehash, ///< they go to other backends, whose servers answer what they do not know
    keep,   ///< they stay and wait
    reset,  ///< TCP: the client gets a RST; other protocols as `rehash`
};

/// What the operator wants of a backend, apart from how it is.
enum class AdminState : std::uint8_t {
    ready,    ///< takes new flows
    drain,    ///< keeps the flows it has, takes no new ones
    disabled, ///< takes nothing: its flows go to other backends at once
};

/// What the probes say. `unknown` is not used: a server is trusted after its first good probe.
enum class Health : std::uint8_t { unknown, up, down };

/// What identifies a service. Of several that match a packet, the one of the longest prefix takes
/// it, then exact protocol before any, then one port before a range, the narrower range before the
/// wider, any port last. Two services may not be equal in all of these and overlap.
struct ServiceKey {
    IpAddress vip; ///< of a prefix: its first address
    Protocol protocol = Protocol::tcp;
    std::uint16_t port = 0;       ///< host order; of a range: the first; 0: any port
    std::uint16_t more_ports = 0; ///< ports of the range after `port`; 0: one port, or any
    std::uint8_t host_bits = 0;   ///< last bits of `vip` that do not matter; 0: one address

    [[nodiscard]] bool takes_any_port() const { return port == 0; }

    [[nodiscard]] std::uint16_t last_port() const {
        return static_cast<std::uint16_t>(takes_any_port() ? UINT16_MAX : port + more_ports);
    }

    [[nodiscard]] IpPrefix prefix() const { return {.address = vip, .host_bits = host_bits}; }

    friend constexpr auto operator<=>(const ServiceKey&, const ServiceKey&) = default;
};

/// What identifies a backend within its service.
struct BackendKey {
    IpAddress address;
    /// Host order; the service's first port unless forwarding rewrites ports; 0 if that has any.
    std::uint16_t port = 0;

    friend constexpr auto operator<=>(const BackendKey&, const BackendKey&) = default;
};

struct BackendSpec {
    std::string name;
    BackendKey key;
    std::uint16_t weight = 100; ///< share of new flows relative to the others; 0 takes none
    AdminState admin = AdminState::ready;
    Health health = Health::unknown;
    /// QUIC-LB server id (draft-ietf-quic-load-balancers 3); empty: none.
    std::vector<std::uint8_t> quic_server_id;

    friend bool operator==(const BackendSpec&, const BackendSpec&) = default;
};

/// A backend that is ready, up and of weight above 0 takes new flows.
[[nodiscard]] bool takes_new_flows(const BackendSpec& backend);

/// A draining backend keeps its flows; those of a disabled one go elsewhere, and those of one that
/// is down, unless the policy is to keep them.
[[nodiscard]] bool keeps_flows(const BackendSpec& backend, DownPolicy on_down);

/// Slots of a Maglev table: primes, because the permutation needs a prime modulus.
inline constexpr std::array<std::uint32_t, 3> maglev_sizes{16381, 65537, 655373};
inline constexpr std::uint32_t default_maglev_size = 65537;

/// Slots of all services together, at most: 600 MB. A configuration must not end the dataplane for want
/// of memory, so one beyond it is refused.
inline constexpr std::uint64_t max_maglev_slots = 300'000'000;

/// One QUIC-LB configuration (draft-ietf-quic-load-balancers 2, 3). Server ids are 1 … 15 bytes,
/// nonces 4 … 18, both together at most 19.
struct QuicLbSpec {
    std::uint8_t config_id = 0; ///< 0 … 6: the first three bits of a connection id
    std::uint8_t server_id_bytes = 0;
    std::uint8_t nonce_bytes = 0;
    std::optional<std::array<std::uint8_t, 16>> key; ///< nothing: plaintext

    friend bool operator==(const QuicLbSpec&, const QuicLbSpec&) = default;
};

inline constexpr std::size_t max_quic_configs = 7;
inline constexpr std::size_t max_quic_server_id_bytes = 15;

/// Limits of a service; 0 is none. Each worker enforces its share: the limit divided by the number
/// of workers, rounded up.
struct ServiceLimits {
    std::uint32_t new_flows_per_s = 0;
    std::uint32_t new_flows_per_s_and_source = 0; ///< for each source prefix
    std::uint8_t source_host_bits_ipv4 = 0;       ///< what a source prefix is: 0: one address
    std::uint8_t source_host_bits_ipv6 = 64;
    std::uint32_t flows = 0;             ///< at once
    std::uint32_t flows_per_backend = 0; ///< at once

    friend bool operator==(const ServiceLimits&, const ServiceLimits&) = default;
};

/// Who may send. A source that `deny` contains is dropped; if `allow` names any prefix, so is one
/// that it does not contain.
struct AccessSpec {
    std::vector<IpPrefix> allow;
    std::vector<IpPrefix> deny;

    friend bool operator==(const AccessSpec&, const AccessSpec&) = default;
};

/// Prefixes of all access lists together, at most.
inline constexpr std::size_t max_access_prefixes = 2'000'000;

/// Source addresses of NAT, of each family at most: 16 million ports of each protocol.
inline constexpr std::size_t max_nat_sources = 256;

/// As Linux and IANA have it (draft-ietf-intarea-gue 8.3).
inline constexpr std::uint16_t default_gue_port = 6080;

struct ServiceSpec {
    std::string name;
    ServiceKey key;
    Forwarding forwarding = Forwarding::ipip;
    std::uint32_t maglev_size = default_maglev_size; ///< one of maglev_sizes
    bool track = true;            ///< false: no flow entries, every packet goes by hash
    std::uint8_t gue_variant = 0; ///< gue: 0 with a header of its own, 1 without
    std::uint16_t gue_port = default_gue_port; ///< gue: UDP destination port, host order
    Affinity affinity = Affinity::tuple;
    std::uint8_t affinity_host_bits = 0; ///< client: last bits of its address that do not matter
    DownPolicy on_down = DownPolicy::rehash;
    std::uint16_t mss_clamp = 0; ///< largest MSS that a TCP SYN may announce; 0: as it came
    bool toa = false;            ///< nat, TCP: tell the server the client's address in an option
    ServiceLimits limits;
    AccessSpec access;
    std::vector<QuicLbSpec> quic; ///< udp: route by connection id; empty: by tuple
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

/// Sources of outer headers, by their family. Of a prefix, the host bits are filled from the flow
/// hash, so that receivers spread flows over their queues.
struct TunnelSources {
    std::optional<IpPrefix> ipv4; ///< nothing: the port's own address
    std::optional<IpPrefix> ipv6;

    friend bool operator==(const TunnelSources&, const TunnelSources&) = default;
};

struct DesiredState {
    std::uint64_t generation = 0; ///< grows with every change; 0 is none
    FlowHashKey flow_hash_key{};
    FlowTimeouts timeouts;
    TunnelSources tunnel_sources;
    /// Source addresses of NAT, both families. They are ours alone: no kernel has them.
    std::vector<IpAddress> nat_sources;
    AccessSpec access; ///< before that of a service
    std::vector<ServiceSpec> services;

    friend bool operator==(const DesiredState&, const DesiredState&) = default;
};

// The words of the configuration, the API and the logs for the enumerations above.
[[nodiscard]] std::string_view to_string(Protocol value);
[[nodiscard]] std::string_view to_string(Forwarding value);
[[nodiscard]] std::string_view to_string(Affinity value);
[[nodiscard]] std::string_view to_string(DownPolicy value);
[[nodiscard]] std::string_view to_string(AdminState value);
[[nodiscard]] std::string_view to_string(Health value);

/// "198.51.100.10:80/tcp", "[2001:db8::1]:80-89/tcp", "198.51.100.0/24:any/udp",
/// "198.51.100.10/any".
[[nodiscard]] std::string to_string(const ServiceKey& key);

} // namespace penstock
