// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/announcement.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <span>
#include <sys/socket.h>
#include <unistd.h>

namespace penstock {

AnnouncementFrame make_arp_announcement(const IpAddress& vip, const MacAddress& mac) {
    AnnouncementFrame frame{};
    auto at = frame.begin();
    const auto put = [&at](std::span<const std::uint8_t> bytes) {
        at = std::ranges::copy(bytes, at).out;
    };
    constexpr std::array<std::uint8_t, 6> broadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    constexpr std::array<std::uint8_t, 6> nobody{};
    // EtherType ARP, then: Ethernet, IPv4, lengths 6 and 4, operation request (RFC 826).
    constexpr std::array<std::uint8_t, 10> head{0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1};
    const auto address = std::span(vip.bytes()).last<4>();
    put(broadcast);
    put(mac.bytes);
    put(head);
    put(mac.bytes);
    put(address);
    put(nobody);
    put(address);
    return frame;
}

Announcer::~Announcer() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

bool Announcer::announce(std::uint32_t interface_index, const AnnouncementFrame& frame) {
    if (fd_ < 0) {
        // Protocol 0: it receives nothing.
        fd_ = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd_ < 0) {
            return false;
        }
    }
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(interface_index);
    to.sll_halen = ETH_ALEN;
    const ssize_t sent = ::sendto(
        fd_, frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)
    );
    return sent == static_cast<ssize_t>(frame.size());
}

} // namespace penstock
