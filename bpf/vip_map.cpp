// SPDX-License-Identifier: Apache-2.0
#include "bpf/vip_map.hpp"

#include "bpf/abi.h"
#include "dataplane/core/identity.hpp"

#include <algorithm>
#include <bpf/bpf.h>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <iterator>

namespace penstock::bpf {

static_assert(max_services <= PENSTOCK_MAX_VIPS, "every service may have a VIP of its own");
static_assert(sizeof(IpAddress) == sizeof(penstock_vip_key));

namespace {

constexpr std::string_view map_remedy = "restart the program that owns the map";

penstock_vip_key key_of(const IpAddress& address) {
    penstock_vip_key key{};
    std::memcpy(key.address, address.bytes().data(), sizeof(key.address));
    return key;
}

IpAddress address_of(const penstock_vip_key& key) {
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), key.address, bytes.size());
    return IpAddress::from_ipv6(bytes);
}

// In `left` and not in `right`, both sorted.
std::vector<IpAddress>
difference(const std::vector<IpAddress>& left, const std::vector<IpAddress>& right) {
    std::vector<IpAddress> result;
    std::set_difference(
        left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(result)
    );
    return result;
}

} // namespace

BpfResult<VipMap> VipMap::adopt(FileDescriptor map) {
    bpf_map_info info{};
    std::uint32_t info_size = sizeof(info);
    if (bpf_obj_get_info_by_fd(map.number(), &info, &info_size) != 0)
        return kernel_failure("cannot read the map of VIPs", errno, map_remedy);
    if (info.type != BPF_MAP_TYPE_HASH || info.key_size != sizeof(penstock_vip_key) ||
        info.value_size != sizeof(penstock_vip))
        return BpfFailure(
            {"the map of VIPs has another layout than this build knows",
             "another version of Penstock attached the program: stop that one first"}
        );
    std::vector<IpAddress> vips;
    penstock_vip_key key{};
    const penstock_vip_key* previous = nullptr;
    // Bounded, so that a second writer, against the rule, cannot keep us here.
    while (vips.size() < PENSTOCK_MAX_VIPS) {
        penstock_vip_key next{};
        if (bpf_map_get_next_key(map.number(), previous, &next) != 0) {
            if (errno != ENOENT)
                return kernel_failure("cannot list the map of VIPs", errno, map_remedy);
            break;
        }
        key = next;
        previous = &key;
        vips.push_back(address_of(key));
    }
    std::sort(vips.begin(), vips.end());
    return VipMap(std::move(map), std::move(vips));
}

BpfResult<void> VipMap::add(const std::vector<IpAddress>& fresh) {
    for (std::size_t done = 0; done < fresh.size(); ++done) {
        const penstock_vip_key key = key_of(fresh[done]);
        const penstock_vip value{};
        if (bpf_map_update_elem(map_.number(), &key, &value, BPF_ANY) == 0)
            continue;
        const int error_number = errno;
        for (std::size_t undone = 0; undone < done; ++undone) {
            const penstock_vip_key undone_key = key_of(fresh[undone]);
            bpf_map_delete_elem(map_.number(), &undone_key);
        }
        return kernel_failure(
            fmt::format("cannot add VIP {}", fresh[done].to_string()), error_number, map_remedy
        );
    }
    const auto middle = vips_.insert(vips_.end(), fresh.begin(), fresh.end());
    std::inplace_merge(vips_.begin(), middle, vips_.end());
    return {};
}

BpfResult<void> VipMap::remove(const std::vector<IpAddress>& stale) {
    for (const IpAddress& address : stale) {
        const penstock_vip_key key = key_of(address);
        if (bpf_map_delete_elem(map_.number(), &key) != 0 && errno != ENOENT)
            return kernel_failure(
                fmt::format("cannot remove VIP {}", address.to_string()), errno, map_remedy
            );
        vips_.erase(std::lower_bound(vips_.begin(), vips_.end(), address));
    }
    return {};
}

BpfResult<void> VipMap::set(std::span<const IpAddress> vips) {
    std::vector<IpAddress> wanted(vips.begin(), vips.end());
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    if (wanted.size() > PENSTOCK_MAX_VIPS)
        return BpfFailure(
            {fmt::format("{} VIPs, at most {} fit", wanted.size(), PENSTOCK_MAX_VIPS),
             "remove some, or spread them over more nodes"}
        );
    const std::vector<IpAddress> stale = difference(vips_, wanted);
    const std::vector<IpAddress> fresh = difference(wanted, vips_);
    // Adding comes first unless that overfills the map: a refused VIP is better known before any is
    // gone.
    const bool add_first = vips_.size() + fresh.size() <= PENSTOCK_MAX_VIPS;
    auto first = add_first ? add(fresh) : remove(stale);
    if (!first)
        return first;
    return add_first ? remove(stale) : add(fresh);
}

} // namespace penstock::bpf
