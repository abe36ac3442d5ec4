// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/announcement.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

namespace penstock {
namespace {

// As tcpdump shows "ARP, Request who-has 198.51.100.10 tell 198.51.100.10", RFC 5227 2.3.
TEST(Announcement, IsAnArpRequestForItself) {
    const auto frame = make_arp_announcement(
        *IpAddress::parse("198.51.100.10"), *MacAddress::parse("02:00:00:00:00:01")
    );
    AnnouncementFrame expected{
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0,    0, 0,   0x01, 0x08, 0x06,
        0,    1,    0x08, 0,    6,    4,    0,    1, 0x02, 0, 0,   0,    0,    0x01,
        198,  51,   100,  10,   0,    0,    0,    0, 0,    0, 198, 51,   100,  10,
    };
    expected.resize(60); // Ethernet's minimum
    EXPECT_EQ(frame, expected);
}

// As scapy makes Ether / IPv6(hlim=255) / ICMPv6ND_NA(R=0, S=0, O=1) / ICMPv6NDOptDstLLAddr, RFC 4861 7.2.6.
TEST(Announcement, IsANeighbourAdvertisementToAllNodes) {
    const AnnouncementFrame expected{
        0x33, 0x33, 0x00, 0x00, 0x00, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x86, 0xdd, 0x60,
        0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x88, 0x00, 0xf9, 0x0c, 0x20, 0x00,
        0x00, 0x00, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x10, 0x02, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01
    };
    EXPECT_EQ(
        make_announcement(
            *IpAddress::parse("2001:db8::10"), *MacAddress::parse("02:00:00:00:00:01")
        ),
        expected
    );
}

// On loopback, as root. A socket of its own for each frame took milliseconds of every one.
TEST(Announcer, SendsManyFramesWithinATurnEach) {
    const int receiver = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ARP));
    ASSERT_GE(receiver, 0) << "run as root: the test opens a packet socket";
    struct timeval limit{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(receiver, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    const unsigned int loopback = ::if_nametoindex("lo");
    const auto frame = make_arp_announcement(
        *IpAddress::parse("198.51.100.10"), *MacAddress::parse("02:00:00:00:00:01")
    );
    constexpr int frames = 100;
    Announcer announcer;
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < frames; ++i) {
        ASSERT_TRUE(announcer.announce(loopback, frame)) << std::strerror(errno);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(frames));
    int seen = 0;
    while (seen < frames) {
        AnnouncementFrame received(frame.size());
        ASSERT_GT(::recv(receiver, received.data(), received.size(), 0), 0) << seen << " came";
        seen += received == frame ? 1 : 0;
    }
    EXPECT_FALSE(announcer.announce(0x7fffffff, frame)) << "there is no such interface";
    ::close(receiver);
}

} // namespace
} // namespace penstock
