// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/service_index.hpp"

#include "dataplane/core/headers.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <tuple>

namespace penstock {
namespace {

// One address, one protocol, one port: nothing can be more specific.
bool is_exact(const ServiceKey& key) {
    return key.host_bits == 0 && key.protocol != Protocol::any && !key.takes_any_port() &&
           key.more_ports == 0;
}

bool is_exact(const ServiceKey& key, Family family) {
    return is_exact(key) && key.vip.family() == family;
}

// Smaller is more specific: exact protocol before any, then the narrower range; any port is the
// widest.
auto precedence(const ServiceKey& key) {
    const std::uint32_t width =
        key.takes_any_port() ? std::uint32_t{UINT16_MAX} + 1 : key.more_ports;
    return std::tuple(key.protocol == Protocol::any, width, key.port);
}

// Twice the room of what a quarter's load asks, at least one free place.
std::size_t table_size(std::size_t count) {
    return std::bit_ceil((count * 4) + 1);
}

// Places for the exact keys of one family.
std::size_t count_room(std::span<const ServiceKey> keys, Family family) {
    return table_size(static_cast<std::size_t>(
        std::ranges::count_if(keys, [&](const ServiceKey& key) { return is_exact(key, family); })
    ));
}

} // namespace

std::uint64_t
ServiceIndex::mix_portable(std::uint64_t high, std::uint64_t low, std::uint32_t meta) {
    // SplitMix64's finalizer.
    std::uint64_t value = low ^ (high * 0xff51afd7ed558ccdULL) ^ meta;
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31U);
}

ServiceIndex::Key ServiceIndex::key_of(const IpAddress& address, std::uint32_t meta) {
    Key key{.meta = meta};
    std::memcpy(&key.high, address.bytes().data(), sizeof key.high);
    std::memcpy(&key.low, address.bytes().data() + sizeof key.high, sizeof key.low);
    return key;
}

std::uint64_t ServiceIndex::mix(const IpPrefix& prefix) {
    return mix(key_of(prefix.address, prefix.host_bits));
}

ServiceIndex::ServiceIndex(std::span<const ServiceKey> keys) {
    add_exact_ipv4(keys);
    add_exact_ipv6(keys);
    add_groups(keys);
}

void ServiceIndex::add_exact_ipv4(std::span<const ServiceKey> keys) {
    exact_ipv4_.assign(count_room(keys, Family::ipv4), {});
    exact_ipv4_mask_ = exact_ipv4_.size() - 1;
    for (std::size_t index = 0; index < keys.size(); ++index) {
        const ServiceKey& service = keys[index];
        if (!is_exact(service, Family::ipv4)) {
            continue;
        }
        const std::uint64_t key = key_ipv4(
            service.vip.ipv4(),
            static_cast<std::uint8_t>(service.protocol),
            Be16::from_host(service.port)
        );
        std::uint64_t i = mix(key);
        while (exact_ipv4_[i & exact_ipv4_mask_].key != no_key) {
            ++i;
        }
        exact_ipv4_[i & exact_ipv4_mask_] = {.key = key, .index = static_cast<std::int32_t>(index)};
    }
}

void ServiceIndex::add_exact_ipv6(std::span<const ServiceKey> keys) {
    exact_ipv6_.assign(count_room(keys, Family::ipv6), {});
    exact_ipv6_mask_ = exact_ipv6_.size() - 1;
    for (std::size_t index = 0; index < keys.size(); ++index) {
        const ServiceKey& service = keys[index];
        if (!is_exact(service, Family::ipv6)) {
            continue;
        }
        const Key key = key_of(
            service.vip,
            meta_of(static_cast<std::uint8_t>(service.protocol), Be16::from_host(service.port))
        );
        std::uint64_t i = mix(key);
        while (exact_ipv6_[i & exact_ipv6_mask_].index != none) {
            ++i;
        }
        exact_ipv6_[i & exact_ipv6_mask_] = {.key = key, .index = static_cast<std::int32_t>(index)};
    }
}

void ServiceIndex::add_groups(std::span<const ServiceKey> keys) {
    std::vector<std::size_t> order(keys.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, {}, [&](std::size_t index) {
        return std::tuple(keys[index].prefix(), precedence(keys[index]));
    });
    for (const std::size_t index : order) {
        const ServiceKey& key = keys[index];
        if (groups_.empty() || groups_.back().prefix != key.prefix()) {
            groups_.push_back(
                {.prefix = key.prefix(), .first = static_cast<std::uint32_t>(candidates_.size())}
            );
        }
        if (is_exact(key)) {
            continue;
        }
        ++groups_.back().count;
        candidates_.push_back({
            .protocol = static_cast<std::uint8_t>(key.protocol),
            .first_port = key.port,
            .last_port = key.last_port(),
            .index = static_cast<std::int32_t>(index),
        });
    }
    has_candidates_ = !candidates_.empty();
    group_slots_.assign(table_size(groups_.size()), none);
    group_mask_ = group_slots_.size() - 1;
    for (std::size_t index = 0; index < groups_.size(); ++index) {
        const IpPrefix& prefix = groups_[index].prefix;
        std::uint64_t i = mix(prefix);
        while (group_slots_[i & group_mask_] != none) {
            ++i;
        }
        group_slots_[i & group_mask_] = static_cast<std::int32_t>(index);
        auto& levels = prefix.address.is_ipv4() ? levels_ipv4_ : levels_ipv6_;
        levels.push_back(prefix.host_bits);
    }
    for (auto* const levels : {&levels_ipv4_, &levels_ipv6_}) {
        std::ranges::sort(*levels);
        const auto repeated = std::ranges::unique(*levels);
        levels->erase(repeated.begin(), repeated.end());
    }
}

const ServiceIndex::Group* ServiceIndex::find_group(const IpPrefix& prefix) const {
    for (std::uint64_t i = mix(prefix);; ++i) {
        const std::int32_t index = group_slots_[i & group_mask_];
        if (index == none) {
            return nullptr;
        }
        const Group& group = groups_[static_cast<std::size_t>(index)];
        if (group.prefix == prefix) {
            return &group;
        }
    }
}

std::int32_t
ServiceIndex::find_candidate(std::uint64_t high, std::uint64_t low, std::uint32_t meta) const {
    const IpAddress address =
        IpAddress::from_ipv6(std::bit_cast<std::array<std::uint8_t, 16>>(std::array{high, low}));
    const auto protocol = static_cast<std::uint8_t>(meta);
    const std::uint16_t port = Be16{static_cast<std::uint16_t>(meta >> 16U)}.host();
    const bool is_icmp = protocol == (address.is_ipv4() ? protocol_icmp : protocol_icmpv6);
    for (const std::uint8_t host_bits : levels(address.family())) {
        const Group* const group =
            find_group({.address = clear_host_bits(address, host_bits), .host_bits = host_bits});
        if (group == nullptr) {
            continue;
        }
        for (const Candidate& candidate :
             std::span(candidates_).subspan(group->first, group->count)) {
            const bool takes_protocol =
                candidate.protocol == protocol || (candidate.protocol == 0 && !is_icmp);
            if (takes_protocol && port >= candidate.first_port && port <= candidate.last_port) {
                return candidate.index;
            }
        }
    }
    return none;
}

bool ServiceIndex::covers(const IpAddress& address) const {
    return std::ranges::any_of(levels(address.family()), [&](std::uint8_t host_bits) {
        return find_group({.address = clear_host_bits(address, host_bits), .host_bits = host_bits}
               ) != nullptr;
    });
}

std::size_t ServiceIndex::longest_probe() const {
    std::size_t longest = 0;
    for (std::uint64_t at = 0; at < exact_ipv4_.size(); ++at) {
        if (const std::uint64_t key = exact_ipv4_[at].key; key != no_key) {
            longest = std::max(longest, ((at - mix(key)) & exact_ipv4_mask_) + 1);
        }
    }
    for (std::uint64_t at = 0; at < exact_ipv6_.size(); ++at) {
        if (exact_ipv6_[at].index != none) {
            longest = std::max(longest, ((at - mix(exact_ipv6_[at].key)) & exact_ipv6_mask_) + 1);
        }
    }
    for (std::uint64_t at = 0; at < group_slots_.size(); ++at) {
        if (const std::int32_t index = group_slots_[at]; index != none) {
            const std::uint64_t home = mix(groups_[static_cast<std::size_t>(index)].prefix);
            longest = std::max(longest, ((at - home) & group_mask_) + 1);
        }
    }
    return longest;
}

} // namespace penstock
