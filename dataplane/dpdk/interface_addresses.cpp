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
    return std::ranges::find(ifindexes_, event.ifindex) != ifindexes_.end();
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

std::optional<IpPrefix> InterfaceAddresses::first(Family family) const {
    for (const std::uint32_t ifindex : ifindexes_) {
        const auto known = known_.find(ifindex);
        if (known == known_.end()) {
            continue;
        }
        const auto found = std::ranges::find(known->second, family, &IpAddress::family);
        if (found != known->second.end()) {
            return IpPrefix{.address = *found};
        }
    }
    return std::nullopt;
}

} // namespace penstock
