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

std::size_t ip_header_bytes(Family family) {
    return family == Family::ipv4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header);
}

std::uint8_t protocol_of(const std::uint8_t* outer, Family family) {
    return family == Family::ipv4 ? header_at<Ipv4Header>(outer).protocol
                                  : header_at<Ipv6Header>(outer).next_header;
}

// True if `outer`, a packet over `family`, is what the tunnel to `backend` looks like, with the
// inner packet's first byte at least.
bool is_of_tunnel(std::span<const std::uint8_t> outer, const BackendEntry& backend, Family family) {
    const Rewrite rewrite = family == Family::ipv4 ? Rewrite::tunnel_ipv4 : Rewrite::tunnel_ipv6;
    if (backend.rewrite != rewrite || outer.size() <= backend.outer_length) {
        return false;
    }
    const std::uint8_t* const ours = backend.outer.data();
    const std::size_t ip = ip_header_bytes(family);
    const auto same = [&](std::size_t begin, std::size_t end) {
        return std::equal(ours + begin, ours + end, outer.data() + begin);
    };
    const unsigned version = outer[backend.outer_length] >> 4U;
    if (protocol_of(outer.data(), family) != protocol_of(ours, family) ||
        version != (backend.inner_ipv6 ? 6U : 4U)) {
        return false;
    }
    if (backend.encapsulation != Encapsulation::gue) {
        return same(ip, backend.outer_length);
    }
    // Source port, length and checksum are each packet's own.
    return same(ip + sizeof(Be16), ip + (2 * sizeof(Be16))) &&
           same(ip + sizeof(UdpHeader), backend.outer_length);
}

// The backend of `targets` whose tunnel the quoted packet was in: several services may use an
// address, each in another way. Null if too little is quoted to tell.
const BackendEntry* find_tunnel(
    const Snapshot& snapshot,
    std::span<const Snapshot::Target> targets,
    std::span<const std::uint8_t> outer,
    Family family
) {
    for (const Snapshot::Target& target : targets) {
        const BackendEntry& backend = snapshot.backend(target.id);
        if (is_of_tunnel(outer, backend, family)) {
            return &backend;
        }
    }
    return nullptr;
}

// True if the sender of the packet inside can be told of `mtu`, and should: it recognises the packet,
// which is larger, and no ICMP error; and IPv4's may not be cut. What may be is cut by us from now on.
bool should_be_passed_on(std::span<const std::uint8_t> inside, Family family, std::uint16_t mtu) {
    const auto packet = parse_quoted(inside, family);
    if (!packet || inside.size() < packet->l4 + least_layer4_quoted) {
        return false;
    }
    const std::uint8_t type = inside[packet->l4];
    if (family == Family::ipv6) {
        const std::uint32_t length =
            sizeof(Ipv6Header) + header_at<Ipv6Header>(inside.data()).payload_length.host();
        return length > std::max(mtu, PathMtuTable::least_ipv6) &&
               !(packet->protocol == protocol_icmpv6 && is_icmpv6_error(type));
    }
    const auto& ip = header_at<Ipv4Header>(inside.data());
    return ip.total_length.host() > mtu && (ip.fragment.host() & Ipv4Header::dont_fragment) != 0 &&
           !(packet->protocol == protocol_icmp && is_icmpv4_error(type));
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
    const BackendEntry* const backend = find_tunnel(snapshot, targets, bytes, family);
    if (backend == nullptr || mtu <= backend->outer_length) {
        return taken;
    }
    const std::span<std::uint8_t> inside = bytes.subspan(backend->outer_length);
    const Family inner = backend->inner_ipv6 ? Family::ipv6 : Family::ipv4;
    const auto inner_mtu = static_cast<std::uint16_t>(mtu - backend->outer_length);
    if (!should_be_passed_on(inside, inner, inner_mtu) || !worker.too_big_budget.take(now)) {
        return taken;
    }
    return answer_quoted_too_big(
        packet,
        parsed.l3,
        inside.data(),
        static_cast<std::uint32_t>(inside.size()),
        inner,
        worker.ports[packet.rx_port.value],
        inner_mtu
    );
}

} // namespace penstock
