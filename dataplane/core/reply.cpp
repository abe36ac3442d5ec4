// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/reply.hpp"

#include "dataplane/core/headers.hpp"

namespace penstock {
namespace {

constexpr Be16 arp_ethernet = Be16::from_host(1);
constexpr Be16 arp_request = Be16::from_host(1);
constexpr Be16 arp_reply = Be16::from_host(2);
constexpr std::uint8_t reply_ttl = 64;

Verdict drop(DropReason reason) {
    return {.kind = VerdictKind::drop, .reason = reason};
}

Verdict reply_to(const Packet& packet) {
    return {.kind = VerdictKind::reply, .tx_port = packet.rx_port};
}

// Sends the frame back to where it came from; VLAN tags stay as they are.
void turn_around(Packet& packet, const PortFacts& port) {
    auto ethernet = read_header<EthernetHeader>(packet.data);
    ethernet.destination = ethernet.source;
    ethernet.source = port.mac;
    write_header(packet.data, ethernet);
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
    if (arp.operation != arp_request || !snapshot.is_vip(IpAddress::from_ipv4(arp.target_ip))) {
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
    turn_around(packet, port);
    return reply_to(packet);
}

Verdict answer_icmp(Packet& packet, const ParsedPacket& parsed, const PortFacts& port) {
    std::uint8_t* const icmp_bytes = packet.data + parsed.l4;
    auto icmp = read_header<IcmpHeader>(icmp_bytes);
    if (icmp.type != IcmpHeader::echo_request || icmp.code != 0) {
        return drop(DropReason::unhandled_icmp);
    }
    std::uint8_t* const ip_bytes = packet.data + parsed.l3;
    auto ip = read_header<Ipv4Header>(ip_bytes);
    const IpAddress source = IpAddress::from_ipv4(ip.source);
    if (source.is_unspecified() || source.is_multicast() || source.is_loopback() ||
        ip.source.raw == UINT32_MAX || ip.source == ip.destination ||
        read_header<EthernetHeader>(packet.data).source.is_multicast()) {
        return drop(DropReason::bad_reply_target);
    }
    const std::uint32_t l3_end = std::uint32_t{parsed.l3} + parsed.l3_length;
    // What lies in later segments cannot be summed here; the asker checks our answer anyway.
    if (l3_end <= packet.length) {
        const std::uint64_t sum = add_to_checksum(0, {icmp_bytes, l3_end - parsed.l4});
        if (fold_checksum(sum) != 0xffff) {
            return drop(DropReason::bad_icmp_checksum);
        }
    }
    // RFC 1624 eqn. 3: HC' = ~(~HC + ~m + m') with m = type 8, code 0 and m' = 0.
    const auto old_word = read_header<Be16>(icmp_bytes);
    icmp.type = IcmpHeader::echo_reply;
    icmp.checksum = finish_checksum(
        std::uint64_t{static_cast<std::uint16_t>(~icmp.checksum.raw)} +
        static_cast<std::uint16_t>(~old_word.raw)
    );
    write_header(icmp_bytes, icmp);

    std::swap(ip.source, ip.destination);
    ip.ttl = reply_ttl;
    ip.checksum = {0};
    write_header(ip_bytes, ip);
    const std::uint32_t header_length = std::uint32_t{parsed.l4} - parsed.l3;
    ip.checksum = finish_checksum(add_to_checksum(0, {ip_bytes, header_length}));
    write_header(ip_bytes, ip);
    turn_around(packet, port);
    return reply_to(packet);
}

} // namespace penstock
