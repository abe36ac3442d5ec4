// SPDX-License-Identifier: Apache-2.0
// What the benchmarks forward, and how: one row for each mode and address family. A mode that the
// dataplane learns is measured everywhere once it has its row here.
//
// Thread rule: constants.
#pragma once

#include "dataplane/core/desired_state.hpp"

#include <array>
#include <string_view>

namespace penstock::bench {

struct ForwardingCase {
    std::string_view name; ///< of the established case; "_new", "_miss" and "_hash" follow it
    Family family;
    Forwarding forwarding;
    std::string_view vip;
};

inline constexpr std::array forwarding_cases{
    ForwardingCase{"tcp4_ipip", Family::ipv4, Forwarding::ipip, "198.51.100.10"},
    ForwardingCase{"tcp6_ipip6", Family::ipv6, Forwarding::ipip, "2001:db8::10"},
    ForwardingCase{"tcp4_gre", Family::ipv4, Forwarding::gre, "198.51.100.10"},
    ForwardingCase{"tcp4_gue", Family::ipv4, Forwarding::gue, "198.51.100.10"},
    ForwardingCase{"tcp6_gue6", Family::ipv6, Forwarding::gue, "2001:db8::10"},
    ForwardingCase{"tcp4_l2dsr", Family::ipv4, Forwarding::l2dsr, "198.51.100.10"},
};

/// The longest frame a Generator writes: a TCP header on IPv6, or a padded one on IPv4.
inline constexpr std::size_t max_frame_bytes = 80;

} // namespace penstock::bench
