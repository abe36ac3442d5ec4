// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/neighbour_answer.hpp"

#include "dataplane/core/headers.hpp"
#include "dataplane/core/turn_around.hpp"

#include <array>
#include <cstring>
#include <span>

namespace penstock {
namespace {

using Ipv6Bytes = std::array<std::uint8_t, 16>;

constexpr std::uint8_t neighbour_hop_limit = 255; // from this link, or not at all (RFC 4861 7.1.1)
constexpr std::uint8_t target_mac_option = 2;
constexpr std::uint8_t flag_solicited = 0x40;
constexpr std::uint8_t flag_override = 0x20;
constexpr Ipv6Bytes all_nodes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr MacAddress all_nodes_mac{{0x33, 0x33, 0, 0, 0, 1}};

#pragma pack(push, 1)

// RFC 4861 4.3 and 4.4 with the one option that an answer has (4.6.1).
struct [[gnu::may_alias]] NeighbourMessage {
    std::uint8_t type;
    std::uint8_t code;
    Be16 checksum;
    std::uint8_t flags;
    std::array<std::uint8_t, 3> reserved;
    Ipv6Bytes target;
};

struct [[gnu::may_alias]] TargetMac {
    std::uint8_t type;
    std::uint8_t length; ///< in units of 8 bytes
    MacAddress mac;
};

#pragma pack(pop)

static_assert(sizeof(NeighbourMessage) == 24 && sizeof(TargetMac) == 8);

bool are_options_sound(std::span<const std::uint8_t> options) {
    while (!options.empty()) {
        const std::size_t length = options.size() < 2 ? 0 : std::size_t{options[1]} * 8;
        if (length == 0 || length > options.size()) {
            return false;
        }
        options = options.subspan(length);
    }
    return true;
}

// RFC 4861 7.1.1. Messages that do not lie in the first segment are no honest neighbour's.
bool is_sound(const Packet& packet, const ParsedPacket& parsed) {
    const std::uint32_t end = std::uint32_t{parsed.l3} + parsed.l3_length;
    const std::uint32_t length = end - parsed.l4;
    if (end > packet.length || length < sizeof(NeighbourMessage)) {
        return false;
    }
    const auto& ip = header_at<Ipv6Header>(packet.data + parsed.l3);
    const auto& message = header_at<NeighbourMessage>(packet.data + parsed.l4);
    const std::span<const std::uint8_t> bytes(packet.data + parsed.l4, length);
    const std::uint64_t pseudo =
        add_pseudo_header_ipv6(0, ip.source.data(), length, protocol_icmpv6);
    return ip.hop_limit == neighbour_hop_limit && message.code == 0 && message.target[0] != 0xff &&
           fold_checksum(add_to_checksum(pseudo, bytes)) == 0xffff &&
           are_options_sound(bytes.subspan(sizeof(NeighbourMessage)));
}

} // namespace

Verdict answer_neighbour_solicitation(
    Packet& packet, const ParsedPacket& parsed, const PortFacts& port, const Snapshot& snapshot
) {
    if (!is_sound(packet, parsed)) {
        return drop(DropReason::bad_neighbour_solicitation);
    }
    const Ipv6Bytes target = header_at<NeighbourMessage>(packet.data + parsed.l4).target;
    if (!snapshot.is_ours(IpAddress::from_ipv6(target))) {
        return {.kind = VerdictKind::kernel};
    }
    const Ipv6Bytes asker = header_at<Ipv6Header>(packet.data + parsed.l3).source;
    const bool is_probe = IpAddress::from_ipv6(asker).is_unspecified();
    const MacAddress asker_mac = read_header<EthernetHeader>(packet.data).source;
    if (asker[0] == 0xff || asker_mac.is_multicast()) {
        return drop(DropReason::bad_reply_target);
    }
    constexpr std::uint32_t payload = sizeof(NeighbourMessage) + sizeof(TargetMac);
    constexpr std::uint32_t length = sizeof(Ipv6Header) + payload;
    // The answer may be longer than the question by its option: it grows towards the front.
    std::uint8_t* const end = packet.data + parsed.l3 + parsed.l3_length;
    if (end - length - parsed.l3 < packet.data - packet.headroom) {
        return drop(DropReason::no_headroom);
    }
    rebuild_frame(packet, parsed.l3, end - length, length);
    std::uint8_t* const ip_bytes = packet.data + parsed.l3;
    write_header(
        ip_bytes,
        Ipv6Header{
            .version_class_flow = Be32::from_host(std::uint32_t{6} << 28U),
            .payload_length = Be16::from_host(payload),
            .next_header = protocol_icmpv6,
            .hop_limit = neighbour_hop_limit,
            .source = target,
            .destination = is_probe ? all_nodes : asker,
        }
    );
    std::uint8_t* const message_bytes = ip_bytes + sizeof(Ipv6Header);
    NeighbourMessage message{
        .type = IcmpHeader::v6_neighbour_advertisement,
        .code = 0,
        .checksum = {0},
        .flags = static_cast<std::uint8_t>(flag_override | (is_probe ? 0U : flag_solicited)),
        .reserved = {},
        .target = target,
    };
    write_header(message_bytes, message);
    write_header(
        message_bytes + sizeof message,
        TargetMac{.type = target_mac_option, .length = 1, .mac = port.mac}
    );
    const std::uint64_t pseudo = add_pseudo_header_ipv6(
        0, ip_bytes + offsetof(Ipv6Header, source), payload, protocol_icmpv6
    );
    message.checksum = finish_checksum(add_to_checksum(pseudo, {message_bytes, payload}));
    write_header(message_bytes, message);
    const Verdict verdict = turn_around(packet, port);
    if (is_probe) {
        write_header(packet.data, all_nodes_mac);
    }
    return verdict;
}

} // namespace penstock
