// SPDX-License-Identifier: Apache-2.0
// What the kernel says of one of its network interfaces.
//
// Thread rule: any thread; a few system calls, no state.
#pragma once

#include "dataplane/api/refusal.hpp"
#include "dataplane/core/addresses.hpp"

#include <cstdint>
#include <expected>
#include <string>

namespace penstock {

struct InterfaceFacts {
    std::string name;
    std::uint32_t index = 0;
    std::string driver; ///< "veth", "ice"; empty if it does not say
    MacAddress mac;
    std::uint32_t mtu = 0;
    bool is_ethernet = false;
    bool is_up = false; ///< administratively
    bool has_carrier = false;
    std::uint32_t rx_queues = 1;      ///< now
    bool has_combined_queues = false; ///< `ethtool -L … combined` is how to change them
    // Offloads that let frames leave with a checksum that is not yet computed, or larger than the
    // MTU.
    bool tx_checksum = false;
    bool tso = false;
    bool gso = false;
    bool gro = false;
};

/// In the network namespace of the calling thread. The error names the interfaces there are.
[[nodiscard]] std::expected<InterfaceFacts, Refusal> read_interface_facts(const std::string& name);

/// The ethtool command that gives `facts` that many receive queues.
[[nodiscard]] std::string queue_command(const InterfaceFacts& facts, std::size_t queues);

} // namespace penstock
