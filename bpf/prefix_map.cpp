// SPDX-License-Identifier: Apache-2.0
#include "bpf/prefix_map.hpp"

#include "bpf/abi.h"
#include "dataplane/core/identity.hpp"

#include <algorithm>
#include <bpf/bpf.h>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <iterator>

namespace penstock::bpf {

static_assert(max_services <= PENSTOCK_MAX_PREFIXES, "every service may have a VIP of its own");
static_assert(sizeof(IpAddress) == sizeof(penstock_prefix_key::address));

namespace {

constexpr std::uint32_t whole_length = 128;

penstock_prefix_key key_of(const IpPrefix& prefix) {
    penstock_prefix_key key{};
    key.length = whole_length - prefix.host_bits;
    std::memcpy(key.address, prefix.address.bytes().data(), sizeof(key.address));
    return key;
}

penstock_prefix value_of(const IpPrefix& prefix) {
    return {.ip_version = prefix.address.is_ipv4() ? 4U : 6U};
}

IpPrefix prefix_of(const penstock_prefix_key& key) {
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), key.address, bytes.size());
    return {
        .address = IpAddress::from_ipv6(bytes),
        .host_bits = static_cast<std::uint8_t>(whole_length - key.length)
    };
}

// In `left` and not in `right`, both sorted.
std::vector<IpPrefix>
difference(const std::vector<IpPrefix>& left, const std::vector<IpPrefix>& right) {
    std::vector<IpPrefix> result;
    std::set_difference(
        left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(result)
    );
    return result;
}

} // namespace

BpfResult<PrefixMap> PrefixMap::adopt(FileDescriptor map, std::string_view noun) {
    bpf_map_info info{};
    std::uint32_t info_size = sizeof(info);
    if (bpf_obj_get_info_by_fd(map.number(), &info, &info_size) != 0)
        return kernel_failure(fmt::format("cannot read the map of {}s", noun), errno, map_remedy);
    if (info.type != BPF_MAP_TYPE_LPM_TRIE || info.key_size != sizeof(penstock_prefix_key) ||
        info.value_size != sizeof(penstock_prefix))
        return BpfFailure(
            {fmt::format("the map of {}s has another layout than this build knows", noun),
             "another version of Penstock attached the program: stop that one first"}
        );
    std::vector<IpPrefix> prefixes;
    penstock_prefix_key key{};
    const penstock_prefix_key* previous = nullptr;
    // Bounded, so that a second writer, against the rule, cannot keep us here.
    while (prefixes.size() < PENSTOCK_MAX_PREFIXES) {
        penstock_prefix_key next{};
        if (bpf_map_get_next_key(map.number(), previous, &next) != 0) {
            if (errno != ENOENT)
                return kernel_failure(
                    fmt::format("cannot list the map of {}s", noun), errno, map_remedy
                );
            break;
        }
        key = next;
        previous = &key;
        prefixes.push_back(prefix_of(key));
    }
    std::sort(prefixes.begin(), prefixes.end());
    return PrefixMap(std::move(map), std::move(prefixes), noun);
}

BpfResult<void> PrefixMap::add(const std::vector<IpPrefix>& fresh) {
    for (std::size_t done = 0; done < fresh.size(); ++done) {
        const penstock_prefix_key key = key_of(fresh[done]);
        const penstock_prefix value = value_of(fresh[done]);
        if (bpf_map_update_elem(map_.number(), &key, &value, BPF_ANY) == 0)
            continue;
        const int error_number = errno;
        for (std::size_t undone = 0; undone < done; ++undone) {
            const penstock_prefix_key undone_key = key_of(fresh[undone]);
            bpf_map_delete_elem(map_.number(), &undone_key);
        }
        return kernel_failure(
            fmt::format("cannot add {} {}", noun_, fresh[done].to_string()),
            error_number,
            map_remedy
        );
    }
    const auto middle = prefixes_.insert(prefixes_.end(), fresh.begin(), fresh.end());
    std::inplace_merge(prefixes_.begin(), middle, prefixes_.end());
    return {};
}

BpfResult<void> PrefixMap::remove(const std::vector<IpPrefix>& stale) {
    for (const IpPrefix& prefix : stale) {
        const penstock_prefix_key key = key_of(prefix);
        if (bpf_map_delete_elem(map_.number(), &key) != 0 && errno != ENOENT)
            return kernel_failure(
                fmt::format("cannot remove {} {}", noun_, prefix.to_string()), errno, map_remedy
            );
        prefixes_.erase(std::lower_bound(prefixes_.begin(), prefixes_.end(), prefix));
    }
    return {};
}

BpfResult<void> PrefixMap::set(std::span<const IpPrefix> prefixes) {
    std::vector<IpPrefix> wanted(prefixes.begin(), prefixes.end());
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    if (wanted.size() > PENSTOCK_MAX_PREFIXES)
        return BpfFailure(
            {fmt::format("{} {}s, at most {} fit", wanted.size(), noun_, PENSTOCK_MAX_PREFIXES),
             "remove some, or spread them over more nodes"}
        );
    const std::vector<IpPrefix> stale = difference(prefixes_, wanted);
    const std::vector<IpPrefix> fresh = difference(wanted, prefixes_);
    // Adding comes first unless that overfills the map: a refused prefix is better known before any is
    // gone.
    const bool add_first = prefixes_.size() + fresh.size() <= PENSTOCK_MAX_PREFIXES;
    auto first = add_first ? add(fresh) : remove(stale);
    if (!first)
        return first;
    return add_first ? remove(stale) : add(fresh);
}

std::vector<IpPrefix> to_prefixes(std::span<const IpAddress> addresses) {
    std::vector<IpPrefix> prefixes;
    prefixes.reserve(addresses.size());
    for (const IpAddress& address : addresses)
        prefixes.push_back({.address = address});
    return prefixes;
}

} // namespace penstock::bpf
