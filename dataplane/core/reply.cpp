// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/reply.hpp"

#include "dataplane/core/headers.hpp"
#include "dataplane/core/turn_around.hpp"

#include <span>
#include <utility>

namespace penstock {
namespace {

constexpr Be16 arp_ethernet = Be16::from_host(1);
constexpr Be16 arp_request = Be16::from_host(1);
constexpr Be16 arp_reply = Be16::from_host(2);
constexpr std::uint8_t reply_ttl = 64;

// The checksum once an echo request's type has become that of its reply (RFC 1624 eqn. 3); code 0.
Be16 answer_checksum(Be16 checksum, std::uint8_t request, std::uint8_t reply) {
    const Be16 before = Be16::from_host(static_cast<std::uint16_t>(request << 8U));
    const Be16 after = Be16::from_host(static_cast<std::uint16_t>(reply << 8U));
    return finish_checksum(
        std::uint64_t{static_cast<std::uint16_t>(~checksum.raw)} +
        static_cast<std::uint16_t>(~before.raw) + after.raw
    );
}

// False if the message can be summed and its checksum is wrong. What lies in later segments cannot
// be summed here; the asker checks our answer anyway.
bool checksum_may_be_right(const Packet& packet, const ParsedPacket& parsed, std::uint64_t pseudo) {
    const std::uint32_t l3_end = std::uint32_t{parsed.l3} + parsed.l3_length;
    if (l3_end > packet.length) {
        return true;
    }
    const std::span<const std::uint8_t> message(packet.data + parsed.l4, l3_end - parsed.l4);
    return fold_checksum(add_to_checksum(pseudo, message)) == 0xffff;
}

Verdict answer_echo_ipv4(Packet& packet, const ParsedPacket& parsed, const PortFacts& port) {
    std::uint8_t* const ip_bytes = packet.data + parsed.l3;
    auto& ip = header_at<Ipv4Header>(ip_bytes);
    if (!can_be_answered(
            packet, IpAddress::from_ipv4(ip.source), IpAddress::from_ipv4(ip.destination)
        )) {
        return drop(DropReason::bad_reply_target);
    }
    if (!checksum_may_be_right(packet, parsed, 0)) {
        return drop(DropReason::bad_icmp_checksum);
    }
    auto& icmp = header_at<IcmpHeader>(packet.data + parsed.l4);
    icmp.type = IcmpHeader::echo_reply;
    icmp.checksum =
        answer_checksum(icmp.checksum, IcmpHeader::echo_request, IcmpHeader::echo_reply);
    const Be32 client = ip.source;
    ip.source = ip.destination;
    ip.destination = client;
    ip.ttl = reply_ttl;
    ip.checksum = {0};
    const std::uint32_t header_length = std::uint32_t{parsed.l4} - parsed.l3;
    ip.checksum = finish_checksum(add_to_checksum(0, {ip_bytes, header_length}));
    return turn_around(packet, port);
}

Verdict answer_echo_ipv6(Packet& packet, const ParsedPacket& parsed, const PortFacts& port) {
    auto& ip = header_at<Ipv6Header>(packet.data + parsed.l3);
    if (!can_be_answered(
            packet, IpAddress::from_ipv6(ip.source), IpAddress::from_ipv6(ip.destination)
        )) {
        return drop(DropReason::bad_reply_target);
    }
    const std::uint32_t length = std::uint32_t{parsed.l3} + parsed.l3_length - parsed.l4;
    const std::uint64_t pseudo =
        add_pseudo_header_ipv6(0, ip.source.data(), length, protocol_icmpv6);
    if (!checksum_may_be_right(packet, parsed, pseudo)) {
        return drop(DropReason::bad_icmp_checksum);
    }
    auto& icmp = header_at<IcmpHeader>(packet.data + parsed.l4);
    icmp.type = IcmpHeader::v6_echo_reply;
    icmp.checksum =
        answer_checksum(icmp.checksum, IcmpHeader::v6_echo_request, IcmpHeader::v6_echo_reply);
    std::swap(ip.source, ip.destination); // the pseudo-header's sum stays as it is
    ip.hop_limit = reply_ttl;
    return turn_around(packet, port);
}

} // namespace

Verdict answer_arp(
    Packet& packet, const ParsedPacket& parsed, const PortFacts& port, const Snapshot& snapshot
) {
    std::uint8_t* const bytes = packet.data + parsed.l3;
    auto arp = read_header<ArpPacket>(bytes);
    if (arp.hardware_type != arp_ethernet || arp.protocol_type != ethertype_ipv4 ||
        arp.hardware_length != sizeof(MacAddress) || arp.protocol_length != sizeof(Be32)) {
        return drop(DropReason::bad_arp);
    }
    if (arp.operation != arp_request || !snapshot.is_ours(IpAddress::from_ipv4(arp.target_ip))) {
        return {.kind = VerdictKind::kernel};
    }
    const MacAddress asker = read_header<EthernetHeader>(packet.data).source;
    if (asker.is_multicast() || arp.sender_mac.is_multicast()) {
        return drop(DropReason::bad_reply_target);
    }
    const Be32 vip = arp.target_ip;
    arp.operation = arp_reply;
    arp.target_mac = arp.sender_mac;
    arp.target_ip =
        arp.sender_ip; // 0.0.0.0 for a probe: the conflict it asks about (RFC 5227 2.1.1)
    arp.sender_mac = port.mac;
    arp.sender_ip = vip;
    write_header(bytes, arp);
    return turn_around(packet, port);
}

Verdict answer_echo(Packet& packet, const ParsedPacket& parsed, const PortFacts& port) {
    return parsed.kind == PacketKind::ipv4 ? answer_echo_ipv4(packet, parsed, port)
                                           : answer_echo_ipv6(packet, parsed, port);
}

} // namespace penstock
