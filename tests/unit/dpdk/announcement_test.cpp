// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/announcement.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

// As tcpdump shows "ARP, Request who-has 198.51.100.10 tell 198.51.100.10", RFC 5227 2.3.
TEST(Announcement, IsAnArpRequestForItself) {
    const auto frame = make_arp_announcement(
        *IpAddress::parse("198.51.100.10"), *MacAddress::parse("02:00:00:00:00:01")
    );
    const AnnouncementFrame expected{
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0,    0, 0,   0x01, 0x08, 0x06,
        0,    1,    0x08, 0,    6,    4,    0,    1, 0x02, 0, 0,   0,    0,    0x01,
        198,  51,   100,  10,   0,    0,    0,    0, 0,    0, 198, 51,   100,  10,
    };
    EXPECT_EQ(frame, expected);
}

} // namespace
} // namespace penstock
