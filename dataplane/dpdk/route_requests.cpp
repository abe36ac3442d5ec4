// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/route_requests.hpp"

namespace penstock {

namespace {

constexpr std::size_t routes_in_flight = 64;

} // namespace

void RouteRequests::queue(const IpAddress& destination) {
    if (queued_.insert(destination).second) {
        queue_.push_back(destination);
    }
}

bool RouteRequests::ask(Netlink& netlink) {
    while (!queue_.empty() && asked_.size() < routes_in_flight) {
        const std::uint32_t sequence = netlink.ask_route(queue_.front());
        if (sequence == 0) {
            return !asked_.empty();
        }
        asked_.emplace(sequence, queue_.front());
        queued_.erase(queue_.front());
        queue_.pop_front();
    }
    return true;
}

std::optional<IpAddress> RouteRequests::take(std::uint32_t sequence) {
    const auto found = asked_.find(sequence);
    if (found == asked_.end()) {
        return std::nullopt;
    }
    const IpAddress destination = found->second;
    asked_.erase(found);
    return destination;
}

} // namespace penstock
