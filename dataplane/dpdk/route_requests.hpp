// SPDX-License-Identifier: Apache-2.0
// Questions to the kernel for the route to an address: queued once, a bounded number under way.
//
// Thread rule: state of one thread; ask() sends and returns at once.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/dpdk/netlink.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>

namespace penstock {

class RouteRequests {
public:
    /// Does nothing if it is queued already.
    void queue(const IpAddress& destination);

    /// Sends what is queued, as far as there is room. False if the socket takes nothing and no
    /// answer is on its way that would make room: call again later.
    [[nodiscard]] bool ask(Netlink& netlink);

    /// What request `sequence` asked for, which has been answered now; nothing: none of ours.
    [[nodiscard]] std::optional<IpAddress> take(std::uint32_t sequence);

    /// The answers under way may be lost: they are not waited for.
    void forget_asked() { asked_.clear(); }

    [[nodiscard]] bool is_idle() const { return queue_.empty() && asked_.empty(); }

private:
    std::deque<IpAddress> queue_;
    std::set<IpAddress> queued_;
    std::map<std::uint32_t, IpAddress> asked_; ///< by sequence
};

} // namespace penstock
