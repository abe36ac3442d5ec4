// SPDX-License-Identifier: Apache-2.0
// The immutable compiled configuration that workers read.
//
// Everything a packet needs is computed here once, so that the packet path chooses nothing: a
// service is one probe away whatever their number, a backend's outer header is a finished template,
// a slot is one load, and what a service does not use costs one test of one byte. Built by
// compile_snapshot() on the builder thread, handed over by Publication, never changed.
//
// Thread rule: immutable after construction; any thread may read.
#pragma once

#include "dataplane/core/access_list.hpp"
#include "dataplane/core/desired_state.hpp"
#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/hash.hpp"
#include "dataplane/core/identity.hpp"
#include "dataplane/core/maglev.hpp"
#include "dataplane/core/quic_lb.hpp"
#include "dataplane/core/service_index.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

namespace penstock {

/// What stands between the outer IP header and the packet inside it.
enum class Encapsulation : std::uint8_t {
    none, ///< ipip
    gre,  ///< 4 bytes
    gue,  ///< UDP, and in variant 0 a GUE header of 4 bytes
};

/// How a packet is rewritten for a backend. A tunnel's name is that of its outer family.
enum class Rewrite : std::uint8_t {
    mac_only,    ///< l2dsr
    tunnel_ipv4, ///< outer IPv4
    tunnel_ipv6, ///< outer IPv6
    nat,         ///< addresses and ports
};

/// What the packets of a service need beyond the plain way: bits of ServiceEntry::features. A
/// service without any takes no test but one of the whole byte.
namespace feature {
inline constexpr std::uint8_t untracked = 1U << 0U;  ///< no flow entries
inline constexpr std::uint8_t affinity = 1U << 1U;   ///< chosen by other than the tuple
inline constexpr std::uint8_t mss_clamp = 1U << 2U;  ///< SYNs are edited
inline constexpr std::uint8_t down_reset = 1U << 3U; ///< flows of a dead backend get a RST
inline constexpr std::uint8_t access = 1U << 4U;     ///< sources are checked
inline constexpr std::uint8_t limits = 1U << 5U;     ///< new flows are counted against limits
inline constexpr std::uint8_t quic = 1U << 6U;       ///< chosen by connection id
inline constexpr std::uint8_t nat = 1U << 7U;        ///< goes through the NAT table

inline constexpr std::uint8_t edited = mss_clamp | nat; ///< what changes the packet itself
} // namespace feature

/// The cold half of a service: read only for the features that it has.
struct ServicePolicy {
    Affinity affinity = Affinity::tuple;
    std::uint8_t affinity_host_bits = 0;
    std::uint16_t mss_clamp = 0; ///< host order
    bool toa = false;
    ServiceLimits limits;
    const AccessList* global_access = nullptr; ///< null: none
    const AccessList* access = nullptr;        ///< null: none
    const QuicLbRouter* quic = nullptr;        ///< null: none
};

/// One service as the packet path sees it.
struct alignas(32) ServiceEntry {
    const std::uint16_t* slots =
        nullptr; ///< [slot_count] backend ids; null if no backend takes new flows
    const ServicePolicy* policy = nullptr; ///< never null in a snapshot
    std::uint32_t slot_count = 0;
    ServiceId id;
    std::uint8_t features = 0; ///< bits of `feature`
};

static_assert(sizeof(ServiceEntry) == 32);

/// One backend as the packet path sees it: one cache line.
struct alignas(64) BackendEntry {
    ServiceId service;                ///< a flow entry counts only for packets of this service
    bool in_use : 1 = false;          ///< this id names a backend in this snapshot
    bool keeps_flows : 1 = false;     ///< it is in use, and flows that name it follow it
    bool takes_new_flows : 1 = false; ///< it is up, ready and of weight above 0
    bool resets_flows : 1 = false;    ///< it is down, and its TCP flows get a RST
    bool inner_ipv6 : 1 = false;      ///< tunnels: the family of what travels inside
    bool plain_ipip6 : 1 = false;     ///< the same for IPv6 in IPv6
    bool plain_ipip : 1 = false; ///< IPv4 in IPv4, from one source, not edited: the shortest way
    Rewrite rewrite = Rewrite::mac_only;
    Encapsulation encapsulation = Encapsulation::none;
    std::uint8_t outer_length = 0;     ///< bytes of `outer`
    std::uint8_t source_host_bits = 0; ///< of the outer source that the flow hash fills
    std::uint16_t checksum_base = 0;   ///< one's complement sum of `outer`'s IPv4 header
    std::uint16_t port = 0;            ///< nat: the server's port, network order; 0: as it came
    /// Tunnels: the outer headers; length, DSCP, checksum and what the flow hash fills are 0. nat:
    /// the server's address, 16 bytes as IpAddress has them.
    std::array<std::uint8_t, 52> outer{};

    /// REQUIRES: rewrite is nat.
    [[nodiscard]] IpAddress nat_address() const {
        std::array<std::uint8_t, 16> bytes;
        std::memcpy(bytes.data(), outer.data(), bytes.size());
        return IpAddress::from_ipv6(bytes);
    }
};

static_assert(sizeof(BackendEntry) == 64);

class Snapshot {
public:
    /// The service of a packet to (vip, protocol, port), or nullptr. Addresses and port in network
    /// order; the port is 0 for protocols without.
    [[nodiscard]] const ServiceEntry*
    find_service_ipv4(Be32 vip, std::uint8_t protocol, Be16 port) const {
        return service_at(index_.find_ipv4(vip, protocol, port));
    }

    [[nodiscard]] const ServiceEntry*
    find_service_ipv6(const std::uint8_t* vip, std::uint8_t protocol, Be16 port) const {
        return service_at(index_.find_ipv6(vip, protocol, port));
    }

    /// True for every address that a service names, alone or in a prefix.
    [[nodiscard]] bool is_vip(const IpAddress& address) const { return index_.covers(address); }

    /// True for the source addresses of NAT.
    [[nodiscard]] bool is_nat_source(const IpAddress& address) const;

    /// True for every address whose ARP and ND we answer: no kernel has it.
    [[nodiscard]] bool is_ours(const IpAddress& address) const {
        return is_vip(address) || is_nat_source(address);
    }

    /// Sorted, of one family.
    [[nodiscard]] std::span<const IpAddress> nat_sources(Family family) const {
        return family == Family::ipv4 ? nat_sources_ipv4_ : nat_sources_ipv6_;
    }

    [[nodiscard]] bool has_nat_sources() const {
        return !nat_sources_ipv4_.empty() || !nat_sources_ipv6_.empty();
    }

    /// True for the source of our outer headers: a message about one of our own packets.
    [[nodiscard]] bool is_tunnel_source(const IpAddress& address) const;

    /// By id; `in_use` is false for ids that name nothing. REQUIRES: id.value < max_backends.
    [[nodiscard]] const BackendEntry& backend(BackendId id) const {
        return *(id.value < backend_count_ ? first_backend_ + id.value : &unused_backend_);
    }

    /// By id; null for one that this snapshot does not list.
    [[nodiscard]] const ServiceEntry* service(ServiceId id) const {
        return id.value < services_by_id_.size() ? services_by_id_[id.value] : nullptr;
    }

    [[nodiscard]] const FlowHasher& hasher() const { return hasher_; }

    /// Idle time after which an entry of this state may be forgotten, in ticks.
    [[nodiscard]] std::uint16_t timeout_ticks(FlowState state) const {
        return timeout_ticks_[static_cast<std::size_t>(state)];
    }

    [[nodiscard]] std::uint64_t generation() const { return generation_; }

    /// For steering: what the workers must be sent, sources of NAT included. Sorted, each once.
    [[nodiscard]] const std::vector<IpPrefix>& vip_prefixes() const { return vip_prefixes_; }

    /// Those of them that are one address.
    [[nodiscard]] const std::vector<IpAddress>& vips() const { return vips_; }

    [[nodiscard]] const TunnelSources& tunnel_sources() const { return tunnel_sources_; }

    struct Target {
        BackendId id;
        IpAddress address;
        Forwarding forwarding = Forwarding::ipip;
    };

    /// For neighbours: where the workers must be able to send. Sorted by address.
    [[nodiscard]] const std::vector<Target>& targets() const { return targets_; }

    /// The targets of one address.
    [[nodiscard]] std::span<const Target> targets_of(const IpAddress& address) const;

    /// Places that the slowest look-up of a service visits: what hashing costs here.
    [[nodiscard]] std::size_t longest_probe() const { return index_.longest_probe(); }

    /// The table that the service was compiled with, to be shared by the next snapshot; may be
    /// null.
    [[nodiscard]] std::shared_ptr<const MaglevTable> table_of(ServiceId service) const;

    /// Likewise its access list.
    [[nodiscard]] std::shared_ptr<const AccessList> access_of(ServiceId service) const;

    [[nodiscard]] const std::shared_ptr<const AccessList>& global_access() const {
        return global_access_;
    }

private:
    friend class SnapshotBuilder;

    [[nodiscard]] const ServiceEntry* service_at(std::int32_t index) const {
        return index == ServiceIndex::none ? nullptr : &services_[static_cast<std::size_t>(index)];
    }

    std::uint64_t generation_ = 0;
    FlowHasher hasher_;
    std::array<std::uint16_t, flow_state_count> timeout_ticks_{};
    ServiceIndex index_;
    std::vector<ServiceEntry> services_; ///< as the desired state lists them
    std::vector<ServicePolicy> policies_;
    std::vector<const ServiceEntry*> services_by_id_;
    std::vector<BackendEntry> backends_;
    const BackendEntry* first_backend_ = nullptr; ///< of backends_: two loads less for each packet
    std::size_t backend_count_ = 0;
    std::vector<IpPrefix> vip_prefixes_;
    std::vector<IpAddress> vips_;
    TunnelSources tunnel_sources_;
    std::vector<Target> targets_;
    std::vector<IpAddress> nat_sources_ipv4_;
    std::vector<IpAddress> nat_sources_ipv6_;
    std::shared_ptr<const AccessList> global_access_;         ///< may be null
    std::vector<std::shared_ptr<const AccessList>> accesses_; ///< by ServiceId
    std::vector<std::unique_ptr<const QuicLbRouter>> quic_routers_;
    std::vector<std::shared_ptr<const MaglevTable>> tables_; ///< by ServiceId
    BackendEntry unused_backend_;
};

} // namespace penstock
