// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/snapshot.hpp"

#include <algorithm>

namespace penstock {

bool Snapshot::is_tunnel_source(const IpAddress& address) const {
    const auto& source = address.is_ipv4() ? tunnel_sources_.ipv4 : tunnel_sources_.ipv6;
    return source && source->contains(address);
}

bool Snapshot::is_nat_source(const IpAddress& address) const {
    return std::ranges::binary_search(nat_sources(address.family()), address);
}

std::shared_ptr<const AccessList> Snapshot::access_of(ServiceId service) const {
    return service.value < accesses_.size() ? accesses_[service.value] : nullptr;
}

std::span<const Snapshot::Target> Snapshot::targets_of(const IpAddress& address) const {
    const auto found = std::ranges::equal_range(targets_, address, {}, &Target::address);
    return {found.begin(), found.end()};
}

std::shared_ptr<const MaglevTable> Snapshot::table_of(ServiceId service) const {
    return service.value < tables_.size() ? tables_[service.value] : nullptr;
}

} // namespace penstock
