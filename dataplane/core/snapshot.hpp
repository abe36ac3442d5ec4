// SPDX-License-Identifier: Apache-2.0
// The immutable compiled configuration that workers read.
//
// Everything a packet needs is computed here once, so that the packet path chooses nothing: a
// service is one probe away whatever their number, a backend's outer header is a finished template,
// a slot is one load. Built by compile_snapshot() on the builder thread, handed over by
// Publication, never changed.
//
// Thread rule: immutable after construction; any thread may read.
#pragma once

#include "dataplane/core/desired_state.hpp"
#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/hash.hpp"
#include "dataplane/core/identity.hpp"
#include "dataplane/core/maglev.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace penstock {

/// How a packet is rewritten for a backend.
enum class Rewrite : std::uint8_t {
    mac_only,  ///< l2dsr
    ipv4_ipv4, ///< ipip: outer IPv4 around inner IPv4
};

/// One service as the packet path sees it.
struct ServiceEntry {
    const std::uint16_t* slots =
        nullptr; ///< [slot_count] backend ids; null if no backend takes new flows
    std::uint32_t slot_count = 0;
    ServiceId id;
};

/// One backend as the packet path sees it: one cache line.
struct alignas(64) BackendEntry {
    ServiceId service;            ///< a flow entry counts only for packets of this service
    bool keeps_flows = false;     ///< flows that name it follow it
    bool takes_new_flows = false; ///< it is up, ready and of weight above 0
    Rewrite rewrite = Rewrite::mac_only;
    std::uint8_t outer_length = 0;   ///< bytes of `outer`
    bool in_use = false;             ///< this id names a backend in this snapshot
    std::uint32_t checksum_base = 0; ///< one's complement sum of the constant words of `outer`
    std::array<std::uint8_t, 40> outer{
    }; ///< outer header; length, id, DSCP, checksum are filled per packet
};

static_assert(sizeof(BackendEntry) == 64);

class Snapshot {
public:
    /// The service of a packet to (vip, protocol, port), or nullptr. Addresses and port in network
    /// order.
    [[nodiscard]] const ServiceEntry*
    find_service_ipv4(Be32 vip, std::uint8_t protocol, Be16 port) const {
        return find_service(key_ipv4(vip, protocol, port));
    }

    [[nodiscard]] const ServiceEntry*
    find_service_ipv6(const std::uint8_t* vip, std::uint8_t protocol, Be16 port) const;

    /// True for every address that a service names.
    [[nodiscard]] bool is_vip(const IpAddress& address) const { return vip_index(address) >= 0; }

    /// By id; `in_use` is false for ids that name nothing. REQUIRES: id.value < max_backends.
    [[nodiscard]] const BackendEntry& backend(BackendId id) const {
        return id.value < backends_.size() ? backends_[id.value] : unused_backend_;
    }

    [[nodiscard]] const FlowHasher& hasher() const { return hasher_; }

    /// Idle time after which an entry of this state may be forgotten, in ticks.
    [[nodiscard]] std::uint16_t timeout_ticks(FlowState state) const {
        return timeout_ticks_[static_cast<std::size_t>(state)];
    }

    [[nodiscard]] std::uint64_t generation() const { return generation_; }

    /// For steering and neighbours: what the workers must be sent, and where they must be able to
    /// send.
    [[nodiscard]] const std::vector<IpAddress>& vips() const { return vips_; }

    struct Target {
        BackendId id;
        IpAddress address;
        Forwarding forwarding = Forwarding::ipip;
    };

    [[nodiscard]] const std::vector<Target>& targets() const { return targets_; }

    /// Places that the slowest look-up of a service or of a VIP visits: what hashing costs here.
    [[nodiscard]] std::size_t longest_probe() const;

    /// The table that the service was compiled with, to be shared by the next snapshot; may be
    /// null.
    [[nodiscard]] std::shared_ptr<const MaglevTable> table_of(ServiceId service) const;

private:
    friend class SnapshotBuilder;

    struct ServiceSlot {
        std::uint64_t key = 0; ///< 0: empty
        std::uint32_t index = 0;
    };

    [[nodiscard]] static std::uint64_t key_ipv4(Be32 vip, std::uint8_t protocol, Be16 port) {
        return (std::uint64_t{vip.raw} << 32U) | (std::uint64_t{port.raw} << 16U) |
               (std::uint64_t{protocol} << 8U) | 1U;
    }

    [[nodiscard]] static std::uint64_t
    key_ipv6(std::uint32_t vip_index, std::uint8_t protocol, Be16 port) {
        return (std::uint64_t{vip_index} << 32U) | (std::uint64_t{port.raw} << 16U) |
               (std::uint64_t{protocol} << 8U) | 2U;
    }

    [[nodiscard]] const ServiceEntry* find_service(std::uint64_t key) const {
        // The operator chooses the keys, so an attacker cannot lengthen a chain; at most a quarter
        // of the table is in use, so a probe ends soon.
        for (std::uint64_t i = mix(key);; ++i) {
            const ServiceSlot& slot = service_slots_[i & service_mask_];
            if (slot.key == key) {
                return &services_[slot.index];
            }
            if (slot.key == 0) {
                return nullptr;
            }
        }
    }

    // SplitMix64's finalizer. One multiplication alone is not enough: it carries upwards only, and
    // the addresses of one /24 differ in the highest byte of a key, so that all of them would
    // share one chain.
    [[nodiscard]] static std::uint64_t mix(std::uint64_t key) {
        key = (key ^ (key >> 30U)) * 0xbf58476d1ce4e5b9ULL;
        key = (key ^ (key >> 27U)) * 0x94d049bb133111ebULL;
        return key ^ (key >> 31U);
    }

    [[nodiscard]] static std::uint64_t mix(const IpAddress& address);
    [[nodiscard]] std::int32_t vip_index(const IpAddress& address) const;

    std::uint64_t generation_ = 0;
    FlowHasher hasher_;
    std::array<std::uint16_t, flow_state_count> timeout_ticks_{};
    std::uint64_t service_mask_ = 0;
    std::uint64_t vip_mask_ = 0;
    std::vector<ServiceSlot> service_slots_;
    std::vector<ServiceEntry> services_;
    std::vector<BackendEntry> backends_;
    std::vector<std::int32_t> vip_slots_; ///< index into vips_, -1: empty
    std::vector<IpAddress> vips_;
    std::vector<Target> targets_;
    std::vector<std::shared_ptr<const MaglevTable>> tables_; ///< by ServiceId
    BackendEntry unused_backend_;
};

} // namespace penstock
