// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/interface_addresses.hpp"

#include <algorithm>
#include <utility>

namespace penstock {

void InterfaceAddresses::apply(const AddressEvent& event, Addresses& to) {
    std::vector<IpAddress>& addresses = to[event.ifindex];
    const bool is_known = std::ranges::find(addresses, event.address) != addresses.end();
    if (event.is_removed || !event.is_usable) {
        std::erase(addresses, event.address);
    } else if (!is_known) {
        addresses.push_back(event.address);
    }
}

bool InterfaceAddresses::follows(const AddressEvent& event) const {
    return event.address.is_ipv4() &&
           std::ranges::find(ifindexes_, event.ifindex) != ifindexes_.end();
}

void InterfaceAddresses::take(const AddressEvent& event) {
    if (!follows(event)) {
        return;
    }
    if (is_listing_) {
        heard_.push_back(event);
    }
    apply(event, known_);
}

void InterfaceAddresses::begin_list() {
    is_listing_ = true;
    listed_.clear();
    heard_.clear();
}

void InterfaceAddresses::take_line(const AddressEvent& line) {
    if (is_listing_ && follows(line)) {
        apply(line, listed_);
    }
}

void InterfaceAddresses::end_list() {
    is_listing_ = false;
    for (const AddressEvent& event : heard_) {
        apply(event, listed_);
    }
    known_ = std::move(listed_);
    listed_.clear();
}

TunnelSources InterfaceAddresses::tunnel_sources() const {
    TunnelSources sources;
    for (const std::uint32_t ifindex : ifindexes_) {
        const auto found = known_.find(ifindex);
        if (found != known_.end() && !found->second.empty()) {
            sources.ipv4 = IpPrefix{.address = found->second.front()};
            break;
        }
    }
    return sources;
}

} // namespace penstock
