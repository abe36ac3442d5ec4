// SPDX-License-Identifier: Apache-2.0
// Tells the link that a VIP is behind our MAC now: gratuitous ARP (RFC 5227 3, "ARP announcement")
// or an unsolicited neighbour advertisement (RFC 4861 7.2.6).
//
// Thread rule: the make functions are pure; an Announcer belongs to one thread, and its
// announce() makes one system call that does not block.
#pragma once

#include "dataplane/core/addresses.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace penstock {

/// A whole frame, without FCS; not shorter than Ethernet's minimum.
using AnnouncementFrame = std::vector<std::uint8_t>;

/// REQUIRES: vip.is_ipv4().
[[nodiscard]] AnnouncementFrame make_arp_announcement(const IpAddress& vip, const MacAddress& mac);

/// To all nodes (ff02::1), from the VIP itself, with the Override flag: caches that hold another
/// MAC take ours at once. REQUIRES: !vip.is_ipv4().
[[nodiscard]] AnnouncementFrame
make_neighbour_advertisement(const IpAddress& vip, const MacAddress& mac);

/// The one of the two that fits the family.
[[nodiscard]] AnnouncementFrame make_announcement(const IpAddress& vip, const MacAddress& mac);

/// Sends announcements through the kernel, by one packet socket that lives as long as it does:
/// closing one waits for an RCU grace period, milliseconds in the kernel.
class Announcer {
public:
    Announcer() = default;
    Announcer(const Announcer&) = delete;
    Announcer& operator=(const Announcer&) = delete;
    ~Announcer();

    /// Opens the socket at first use. False if the kernel did not take the frame; errno says why.
    [[nodiscard]] bool announce(std::uint32_t interface_index, std::span<const std::uint8_t> frame);

private:
    int fd_ = -1;
};

} // namespace penstock
