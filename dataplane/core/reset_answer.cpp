// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/reset_answer.hpp"

#include "dataplane/core/headers.hpp"
#include "dataplane/core/turn_around.hpp"

#include <utility>

namespace penstock {
namespace {

constexpr std::uint8_t reset_ttl = 64;

// The segment that answers `tcp`, which carries `payload_length` bytes; without its checksum.
TcpHeader make_reset(const TcpHeader& tcp, std::uint32_t payload_length) {
    TcpHeader reset{};
    reset.source_port = tcp.destination_port;
    reset.destination_port = tcp.source_port;
    reset.data_offset = (sizeof(TcpHeader) / 4) << 4U;
    if ((tcp.flags & TcpHeader::ack) != 0) {
        reset.sequence = tcp.acknowledgement;
        reset.flags = TcpHeader::rst;
        return reset;
    }
    const std::uint32_t taken = payload_length + ((tcp.flags & TcpHeader::syn) != 0 ? 1U : 0U) +
                                ((tcp.flags & TcpHeader::fin) != 0 ? 1U : 0U);
    reset.acknowledgement = Be32::from_host(tcp.sequence.host() + taken);
    reset.flags = TcpHeader::rst | TcpHeader::ack;
    return reset;
}

Be16 checksum_of(const std::uint8_t* reset, std::uint64_t pseudo) {
    return finish_checksum(add_to_checksum(pseudo, {reset, sizeof(TcpHeader)}));
}

// Both write the answer over the packet whose IP header stands at `ip_bytes`.

void write_ipv4(std::uint8_t* ip_bytes, TcpHeader reset) {
    auto ip = read_header<Ipv4Header>(ip_bytes);
    std::swap(ip.source, ip.destination);
    ip.version_ihl = 0x45;
    ip.tos = 0;
    ip.total_length = Be16::from_host(sizeof ip + sizeof reset);
    ip.id = {0};
    ip.fragment = Be16::from_host(Ipv4Header::dont_fragment);
    ip.ttl = reset_ttl;
    ip.checksum = {0};
    write_header(ip_bytes, ip);
    ip.checksum = finish_checksum(add_to_checksum(0, {ip_bytes, sizeof ip}));
    write_header(ip_bytes, ip);
    const std::uint64_t pseudo = add_to_checksum(
        std::uint64_t{Be16::from_host(protocol_tcp).raw} + Be16::from_host(sizeof reset).raw,
        {ip_bytes + offsetof(Ipv4Header, source), 2 * sizeof(Be32)}
    );
    write_header(ip_bytes + sizeof ip, reset);
    reset.checksum = checksum_of(ip_bytes + sizeof ip, pseudo);
    write_header(ip_bytes + sizeof ip, reset);
}

void write_ipv6(std::uint8_t* ip_bytes, TcpHeader reset) {
    auto ip = read_header<Ipv6Header>(ip_bytes);
    std::swap(ip.source, ip.destination);
    ip.version_class_flow = Be32::from_host(std::uint32_t{6} << 28U);
    ip.payload_length = Be16::from_host(sizeof reset);
    ip.next_header = protocol_tcp;
    ip.hop_limit = reset_ttl;
    write_header(ip_bytes, ip);
    const std::uint64_t pseudo = add_pseudo_header_ipv6(
        0, ip_bytes + offsetof(Ipv6Header, source), sizeof reset, protocol_tcp
    );
    write_header(ip_bytes + sizeof ip, reset);
    reset.checksum = checksum_of(ip_bytes + sizeof ip, pseudo);
    write_header(ip_bytes + sizeof ip, reset);
}

bool can_be_reset(const Packet& packet, const ParsedPacket& parsed) {
    const std::uint8_t* const bytes = packet.data + parsed.l3;
    if (parsed.kind == PacketKind::ipv4) {
        const auto& ip = header_at<Ipv4Header>(bytes);
        return can_be_answered(
            packet, IpAddress::from_ipv4(ip.source), IpAddress::from_ipv4(ip.destination)
        );
    }
    const auto& ip = header_at<Ipv6Header>(bytes);
    return can_be_answered(
        packet, IpAddress::from_ipv6(ip.source), IpAddress::from_ipv6(ip.destination)
    );
}

} // namespace

Verdict answer_reset(Packet& packet, const ParsedPacket& parsed, const PortFacts& port) {
    const auto tcp = read_header<TcpHeader>(packet.data + parsed.l4);
    if ((tcp.flags & TcpHeader::rst) != 0) {
        return drop(DropReason::no_backend);
    }
    if (!can_be_reset(packet, parsed)) {
        return drop(DropReason::bad_reply_target);
    }
    const std::uint32_t end = std::uint32_t{parsed.l3} + parsed.l3_length;
    const std::uint32_t tcp_length = (tcp.data_offset >> 4U) * 4U;
    const TcpHeader reset = make_reset(tcp, end - parsed.l4 - tcp_length);
    const bool ipv4 = parsed.kind == PacketKind::ipv4;
    const auto length =
        static_cast<std::uint32_t>(sizeof reset + (ipv4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header)));
    rebuild_frame(packet, parsed.l3, packet.data + parsed.l3, length);
    if (ipv4) {
        write_ipv4(packet.data + parsed.l3, reset);
    } else {
        write_ipv6(packet.data + parsed.l3, reset);
    }
    return turn_around(packet, port);
}

} // namespace penstock
