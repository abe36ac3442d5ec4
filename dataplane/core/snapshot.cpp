// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/snapshot.hpp"

#include <algorithm>
#include <cstring>

namespace penstock {

std::uint64_t Snapshot::mix(const IpAddress& address) {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::memcpy(&high, address.bytes().data(), sizeof high);
    std::memcpy(&low, address.bytes().data() + sizeof high, sizeof low);
    return mix(high ^ (low * 0xff51afd7ed558ccdULL));
}

std::int32_t Snapshot::vip_index(const IpAddress& address) const {
    if (vip_slots_.empty()) {
        return -1;
    }
    for (std::uint64_t i = mix(address);; ++i) {
        const std::int32_t index = vip_slots_[i & vip_mask_];
        if (index < 0 || vips_[static_cast<std::size_t>(index)] == address) {
            return index;
        }
    }
}

const ServiceEntry*
Snapshot::find_service_ipv6(const std::uint8_t* vip, std::uint8_t protocol, Be16 port) const {
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), vip, bytes.size());
    const std::int32_t index = vip_index(IpAddress::from_ipv6(bytes));
    if (index < 0) {
        return nullptr;
    }
    return find_service(key_ipv6(static_cast<std::uint32_t>(index), protocol, port));
}

std::size_t Snapshot::longest_probe() const {
    std::size_t longest = 0;
    for (std::uint64_t at = 0; at < service_slots_.size(); ++at) {
        if (const std::uint64_t key = service_slots_[at].key; key != 0) {
            longest = std::max(longest, ((at - mix(key)) & service_mask_) + 1);
        }
    }
    for (std::uint64_t at = 0; at < vip_slots_.size(); ++at) {
        if (const std::int32_t index = vip_slots_[at]; index >= 0) {
            const std::uint64_t home = mix(vips_[static_cast<std::size_t>(index)]);
            longest = std::max(longest, ((at - home) & vip_mask_) + 1);
        }
    }
    return longest;
}

std::shared_ptr<const MaglevTable> Snapshot::table_of(ServiceId service) const {
    return service.value < tables_.size() ? tables_[service.value] : nullptr;
}

} // namespace penstock
