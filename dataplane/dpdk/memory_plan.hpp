// SPDX-License-Identifier: Apache-2.0
// How much memory the packet half needs, and of which kind it is.
//
// Thread rule: plan_memory() is pure; read_free_hugepages() reads /sys.
#pragma once

#include "controlplane/config/configuration.hpp"
#include "dataplane/api/refusal.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>

namespace penstock {

/// Room in a buffer before a received frame, at least: for every outer header that core may
/// prepend.
inline constexpr std::uint16_t packet_headroom_bytes = 128;

/// AF_XDP wants a whole buffer within a page of 4096: less the mempool's and mbuf's headers (192),
/// our headroom, XDP's own (256) and the frame around the packet (26: Ethernet, two tags, FCS).
inline constexpr std::uint16_t largest_interface_mtu =
    4096 - 192 - packet_headroom_bytes - 256 - 26;

struct MemoryPlan {
    bool uses_hugepages = false;
    std::uint32_t eal_mb = 0;             ///< given to EAL
    std::uint32_t buffers_per_worker = 0; ///< mbufs in a worker's pool
    std::uint16_t data_room_bytes = 0;    ///< of an mbuf, headroom included
    std::size_t flow_table_bytes = 0;     ///< of one worker
    std::string note;                     ///< what the operator should know, or empty
};

/// Refuses if [dataplane] memory_mb is too small for what the rest asks for, or hugepages are
/// demanded and not free. `free_hugepage_mb` is what the kernel could give now; `largest_mtu` is
/// over all ports.
[[nodiscard]] std::expected<MemoryPlan, Refusal> plan_memory(
    const config::DataplaneConfig& dataplane,
    std::uint64_t free_hugepage_mb,
    std::uint16_t largest_mtu
);

/// Of all sizes together.
[[nodiscard]] std::uint64_t read_free_hugepage_mb();

} // namespace penstock
