// SPDX-License-Identifier: Apache-2.0
// Gratuitous ARP (RFC 5227 3, "ARP announcement"): tells the link that a VIP is behind our MAC now.
//
// Thread rule: make_arp_announcement() is pure; an Announcer belongs to one thread, and its
// announce() makes one system call that does not block.
#pragma once

#include "dataplane/core/addresses.hpp"

#include <array>
#include <cstdint>

namespace penstock {

/// A whole frame, padded to Ethernet's minimum without FCS.
using AnnouncementFrame = std::array<std::uint8_t, 60>;

/// REQUIRES: vip.is_ipv4().
[[nodiscard]] AnnouncementFrame make_arp_announcement(const IpAddress& vip, const MacAddress& mac);

/// Sends announcements through the kernel, by one packet socket that lives as long as it does:
/// closing one waits for an RCU grace period, milliseconds in the kernel.
class Announcer {
public:
    Announcer() = default;
    Announcer(const Announcer&) = delete;
    Announcer& operator=(const Announcer&) = delete;
    ~Announcer();

    /// Opens the socket at first use. False if the kernel did not take the frame; errno says why.
    [[nodiscard]] bool announce(std::uint32_t interface_index, const AnnouncementFrame& frame);

private:
    int fd_ = -1;
};

} // namespace penstock
