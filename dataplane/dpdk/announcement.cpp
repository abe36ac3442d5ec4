// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/announcement.hpp"

#include "dataplane/core/headers.hpp"

#include <array>
#include <cerrno>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <span>
#include <sys/socket.h>
#include <unistd.h>

namespace penstock {

namespace {

void put(AnnouncementFrame& frame, std::span<const std::uint8_t> bytes) {
    frame.insert(frame.end(), bytes.begin(), bytes.end());
}

} // namespace

AnnouncementFrame make_arp_announcement(const IpAddress& vip, const MacAddress& mac) {
    constexpr std::array<std::uint8_t, 6> broadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    constexpr std::array<std::uint8_t, 6> nobody{};
    // EtherType ARP, then: Ethernet, IPv4, lengths 6 and 4, operation request (RFC 826).
    constexpr std::array<std::uint8_t, 10> head{0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1};
    constexpr std::size_t smallest_frame = 60;
    const auto address = std::span(vip.bytes()).last<4>();
    AnnouncementFrame frame;
    put(frame, broadcast);
    put(frame, mac.bytes);
    put(frame, head);
    put(frame, mac.bytes);
    put(frame, address);
    put(frame, nobody);
    put(frame, address);
    frame.resize(smallest_frame);
    return frame;
}

AnnouncementFrame make_neighbour_advertisement(const IpAddress& vip, const MacAddress& mac) {
    constexpr std::array<std::uint8_t, 6> to_mac{0x33, 0x33, 0, 0, 0, 1};
    constexpr std::array<std::uint8_t, 16> all_nodes{
        0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
    };
    constexpr std::uint8_t message_length = 24 + 8; // with the option
    // EtherType, then the header up to its addresses; hop limit 255 (RFC 4861 4.4).
    constexpr std::array<std::uint8_t, 10> head{
        0x86, 0xdd, 0x60, 0, 0, 0, 0, message_length, protocol_icmpv6, 255
    };
    // Type 136, a checksum to come, the flags: Override alone.
    constexpr std::array<std::uint8_t, 8> message{136, 0, 0, 0, 0x20, 0, 0, 0};
    constexpr std::array<std::uint8_t, 2> option{2, 1}; // target link-layer address, 8 bytes
    AnnouncementFrame frame;
    put(frame, to_mac);
    put(frame, mac.bytes);
    put(frame, head);
    const std::size_t addresses_at = frame.size();
    put(frame, vip.bytes());
    put(frame, all_nodes);
    const std::size_t message_at = frame.size();
    put(frame, message);
    put(frame, vip.bytes());
    put(frame, option);
    put(frame, mac.bytes);
    // Over the pseudo-header too (RFC 8200 8.1): addresses, length, next header.
    constexpr std::array<std::uint8_t, 8> pseudo{0, 0, 0, message_length, 0, 0, 0, protocol_icmpv6};
    std::uint64_t sum = add_to_checksum(0, std::span(frame).subspan(addresses_at));
    sum = add_to_checksum(sum, pseudo);
    write_header(&frame[message_at + 2], finish_checksum(sum));
    return frame;
}

AnnouncementFrame make_announcement(const IpAddress& vip, const MacAddress& mac) {
    return vip.is_ipv4() ? make_arp_announcement(vip, mac) : make_neighbour_advertisement(vip, mac);
}

Announcer::~Announcer() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

bool Announcer::announce(std::uint32_t interface_index, std::span<const std::uint8_t> frame) {
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
