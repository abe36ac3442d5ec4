// SPDX-License-Identifier: Apache-2.0
// Gratuitous ARP (RFC 5227 3, "ARP announcement"): tells the link that a VIP is behind our MAC now.
//
// Thread rule: make_arp_announcement() is pure; announce_on_interface() makes a few system calls
// that do not block.
#pragma once

#include "dataplane/core/addresses.hpp"

#include <array>
#include <cstdint>

namespace penstock {

/// A whole frame, padded to Ethernet's minimum without FCS.
using AnnouncementFrame = std::array<std::uint8_t, 60>;

/// REQUIRES: vip.is_ipv4().
[[nodiscard]] AnnouncementFrame make_arp_announcement(const IpAddress& vip, const MacAddress& mac);

/// Sends the frame through the kernel. False if it did not take it; errno says why.
[[nodiscard]] bool
announce_on_interface(std::uint32_t interface_index, const AnnouncementFrame& frame);

} // namespace penstock
