// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/nat_fragments.hpp"

#include <algorithm>
#include <span>

namespace penstock {

// UINT16_MAX: free.
std::uint16_t NatFragments::age(const Datagram& datagram, CoarseTime now) {
    constexpr std::uint16_t limit = datagram_s / CoarseTime::seconds_per_tick;
    const std::uint16_t ticks = now.since(datagram.since);
    return datagram.in_use && ticks <= limit ? ticks : std::uint16_t{UINT16_MAX};
}

void NatFragments::remember(FlowHash datagram, std::uint32_t flow, CoarseTime now) {
    const std::span<Datagram> set(&datagrams_[(datagram.value % sets) * ways], ways);
    auto place = std::ranges::find_if(set, [&](const Datagram& known) {
        return known.in_use && known.digest == datagram.digest();
    });
    if (place == set.end()) {
        place = std::ranges::max_element(set, {}, [&](const Datagram& known) {
            return age(known, now);
        });
    }
    *place = {.digest = datagram.digest(), .flow = flow, .since = now, .in_use = true};
}

std::optional<std::uint32_t> NatFragments::find(FlowHash datagram, CoarseTime now) const {
    const std::span<const Datagram> set(&datagrams_[(datagram.value % sets) * ways], ways);
    for (const Datagram& known : set) {
        if (known.digest == datagram.digest() && age(known, now) != UINT16_MAX) {
            return known.flow;
        }
    }
    return std::nullopt;
}

} // namespace penstock
