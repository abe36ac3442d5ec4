// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/tunnel_error.hpp"

#include "dataplane/core/headers.hpp"
#include "dataplane/core/quoted_packet.hpp"

#include <algorithm>
#include <span>

namespace penstock {
namespace {

constexpr std::uint32_t least_layer4_quoted = 8; // RFC 792

bool is_tunnel_protocol(std::uint8_t protocol) {
    return protocol == protocol_ipip || protocol == protocol_ipv6 || protocol == protocol_gre ||
           protocol == protocol_udp;
}

// The MTU that the message names, or 0 if it is about something else or names none.
std::uint16_t reported_mtu(const IcmpHeader& icmp, Family family) {
    if (family == Family::ipv4) {
        const bool too_big =
            icmp.type == IcmpHeader::unreachable && icmp.code == IcmpHeader::fragmentation_needed;
        return too_big ? icmp.sequence.host() : std::uint16_t{0};
    }
    if (icmp.type != IcmpHeader::v6_packet_too_big) {
        return 0;
    }
    const std::uint32_t mtu = (std::uint32_t{icmp.identifier.host()} << 16U) | icmp.sequence.host();
    return static_cast<std::uint16_t>(std::min<std::uint32_t>(mtu, UINT16_MAX));
}

// True if the quoted bytes inside are a header of `family` that a client can recognise.
bool can_be_passed_on(std::span<const std::uint8_t> inside, Family family) {
    if (family == Family::ipv4) {
        return inside.size() >= sizeof(Ipv4Header) + least_layer4_quoted && inside[0] >> 4U == 4;
    }
    return inside.size() >= sizeof(Ipv6Header) + least_layer4_quoted && inside[0] >> 4U == 6;
}

} // namespace

Verdict take_tunnel_error(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    Packet& packet,
    const ParsedPacket& parsed
) {
    const Family family = parsed.kind == PacketKind::ipv4 ? Family::ipv4 : Family::ipv6;
    const std::uint32_t end = std::min(packet.length, std::uint32_t{parsed.l3} + parsed.l3_length);
    const std::uint32_t quoted_at = parsed.l4 + static_cast<std::uint32_t>(sizeof(IcmpHeader));
    const std::span<std::uint8_t> bytes(packet.data + quoted_at, end - quoted_at);
    const auto quoted = parse_quoted(bytes, family);
    if (!quoted || !snapshot.is_tunnel_source(quoted->source) ||
        !is_tunnel_protocol(quoted->protocol)) {
        return {.kind = VerdictKind::kernel};
    }
    const auto targets = snapshot.targets_of(quoted->destination);
    if (targets.empty()) {
        return {.kind = VerdictKind::kernel};
    }
    constexpr Verdict taken{.kind = VerdictKind::drop, .reason = DropReason::tunnel_error};
    const std::uint16_t mtu = reported_mtu(header_at<IcmpHeader>(packet.data + parsed.l4), family);
    const std::uint16_t least =
        family == Family::ipv4 ? PathMtuTable::least_ipv4 : PathMtuTable::least_ipv6;
    if (mtu < least) {
        return taken;
    }
    for (const Snapshot::Target& target : targets) {
        worker.path_mtus.lower(target.id, mtu, now);
    }
    const BackendEntry& backend = snapshot.backend(targets.front().id);
    const Family inner = backend.inner_ipv6 ? Family::ipv6 : Family::ipv4;
    if (backend.outer_length == 0 || bytes.size() <= backend.outer_length ||
        mtu <= backend.outer_length) {
        return taken;
    }
    const std::span<std::uint8_t> inside = bytes.subspan(backend.outer_length);
    if (!can_be_passed_on(inside, inner) || !worker.too_big_budget.take(now)) {
        return taken;
    }
    return answer_quoted_too_big(
        packet,
        parsed.l3,
        inside.data(),
        static_cast<std::uint32_t>(inside.size()),
        inner,
        worker.ports[packet.rx_port.value],
        static_cast<std::uint16_t>(mtu - backend.outer_length)
    );
}

} // namespace penstock
