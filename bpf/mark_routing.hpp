// SPDX-License-Identifier: Apache-2.0
// Sends what bears a probe's mark out of the probe device: a rule for each family, before the main
// table, to a table of its own with one default route.
//
// The rules go away with this object; after a kill -9 the next one removes them first. Until then
// they lead to an empty table, which is passed over, and no probe bears such a mark.
//
// Thread rule: one thread; every call makes system calls.
#pragma once

#include "bpf/error.hpp"
#include "bpf/route_socket.hpp"

#include <cstdint>
#include <memory>

namespace penstock::bpf {

/// Marks of probes: these bits are ours alone on this machine; the others say which backend.
inline constexpr std::uint32_t probe_mark = 0x50500000;
inline constexpr std::uint32_t probe_mark_mask = 0xfff00000;
inline constexpr std::uint32_t probe_table = 20563; ///< 0x5053, "PS"
inline constexpr std::uint32_t probe_rule_priority = 20563;

class MarkRouting {
public:
    /// Removes leftovers of ours, then routes marks out of `ifindex`, which is up.
    [[nodiscard]] static BpfResult<MarkRouting> start(unsigned int ifindex, bool with_ipv6);

    MarkRouting(MarkRouting&& other) noexcept = default;
    MarkRouting& operator=(MarkRouting&&) = delete;
    ~MarkRouting();

    /// To ask on; its questions are about unmarked packets.
    [[nodiscard]] RouteSocket& routes() { return *routes_; }

    /// Marked packets to `vip` of sockets that are not bound come from `source`, which is of its
    /// family; the last one counts. Such a route stays as long as the device.
    [[nodiscard]] BpfResult<void> prefer_source(const IpAddress& vip, const IpAddress& source);

private:
    MarkRouting(std::unique_ptr<RouteSocket> routes, unsigned int ifindex)
        : routes_(std::move(routes)), ifindex_(ifindex) {}

    std::unique_ptr<RouteSocket> routes_; // nothing: moved from
    unsigned int ifindex_;
};

} // namespace penstock::bpf
