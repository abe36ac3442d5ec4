// SPDX-License-Identifier: Apache-2.0
// What the packet path must know of a port.
//
// Thread rule: values, set before the workers start.
#pragma once

#include "dataplane/core/addresses.hpp"

#include <cstdint>

namespace penstock {

struct PortFacts {
    MacAddress mac;           ///< source of what leaves, and what ARP answers name
    std::uint16_t mtu = 1500; ///< largest layer-3 packet that may leave
};

} // namespace penstock
