// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/toa.hpp"

#include "dataplane/core/checksum_change.hpp"
#include "dataplane/core/headers.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>

namespace penstock {
namespace {

constexpr std::uint8_t option_end = 0;
constexpr std::uint8_t option_none = 1;
constexpr std::uint32_t max_tcp_header = 60;

std::uint32_t tcp_header_bytes(const std::uint8_t* l4) {
    return (header_at<TcpHeader>(l4).data_offset >> 4U) * 4U;
}

// The options, as far as they are contiguous.
std::span<std::uint8_t> options_of(const Packet& packet, const ParsedPacket& parsed) {
    std::uint8_t* const l4 = packet.data + parsed.l4;
    const std::uint32_t end =
        std::min(parsed.l4 + tcp_header_bytes(l4), std::uint32_t{packet.length});
    return {l4 + sizeof(TcpHeader), end - parsed.l4 - sizeof(TcpHeader)};
}

} // namespace

void blank_toa(const Packet& packet, const ParsedPacket& parsed) {
    const std::span<std::uint8_t> options = options_of(packet, parsed);
    const auto even = options.first(options.size() / 2 * 2);
    ChecksumChange change;
    bool found = false;
    for (std::size_t i = 0; i < options.size() && options[i] != option_end;) {
        if (options[i] == option_none) {
            ++i;
            continue;
        }
        const std::size_t length = i + 1 < options.size() ? options[i + 1] : 0;
        if (length < 2 || length > options.size() - i) {
            break; // whoever reads on reads something else
        }
        if (options[i] == toa_kind) {
            if (!found) {
                change.remove(even);
                found = true;
            }
            std::fill_n(options.begin() + static_cast<std::ptrdiff_t>(i), length, option_none);
        }
        i += length;
    }
    if (found) {
        change.add(even);
        auto& tcp = header_at<TcpHeader>(packet.data + parsed.l4);
        tcp.checksum = change.apply(tcp.checksum);
    }
}

bool add_toa(
    Packet& packet,
    const ParsedPacket& parsed,
    const IpAddress& client,
    Be16 client_port,
    std::uint32_t mtu
) {
    const bool ipv4 = parsed.kind == PacketKind::ipv4;
    const std::uint32_t size = ipv4 ? toa_ipv4_bytes : toa_ipv6_bytes;
    const std::uint8_t* const old_l4 = packet.data + parsed.l4;
    const std::uint32_t l3_length = std::uint32_t{parsed.l3_length} + size;
    if (tcp_header_bytes(old_l4) + size > max_tcp_header || packet.headroom < size ||
        packet.total_length - parsed.l3 + size > mtu || l3_length > UINT16_MAX) {
        return false;
    }
    // All that stands before the options moves forward; the option comes first among them.
    std::uint8_t* const data = packet.data - size;
    std::memmove(data, packet.data, parsed.l4 + sizeof(TcpHeader));
    packet.data = data;
    packet.length += size;
    packet.total_length += size;
    packet.headroom = static_cast<std::uint16_t>(packet.headroom - size);

    std::uint8_t* const l4 = data + parsed.l4;
    std::uint8_t* const option = l4 + sizeof(TcpHeader);
    option[0] = toa_kind;
    option[1] = static_cast<std::uint8_t>(size);
    write_header(option + 2, client_port);
    const std::size_t address_bytes = size - 4;
    std::memcpy(option + 4, client.bytes().data() + (16 - address_bytes), address_bytes);

    auto& tcp = header_at<TcpHeader>(l4);
    ChecksumChange change;
    change.add({option, size});
    change.remove(read_header<Be16>(l4 + offsetof(TcpHeader, data_offset)));
    tcp.data_offset = static_cast<std::uint8_t>(tcp.data_offset + ((size / 4U) << 4U));
    change.add(read_header<Be16>(l4 + offsetof(TcpHeader, data_offset)));
    // The pseudo header has the length of TCP's part.
    const std::uint32_t old_l4_length = std::uint32_t{parsed.l3} + parsed.l3_length - parsed.l4;
    change.replace(
        Be16::from_host(static_cast<std::uint16_t>(old_l4_length)),
        Be16::from_host(static_cast<std::uint16_t>(old_l4_length + size))
    );
    tcp.checksum = change.apply(tcp.checksum);

    std::uint8_t* const l3 = data + parsed.l3;
    if (ipv4) {
        auto& ip = header_at<Ipv4Header>(l3);
        const Be16 length = Be16::from_host(static_cast<std::uint16_t>(l3_length));
        ChecksumChange header;
        header.replace(ip.total_length, length);
        ip.total_length = length;
        ip.checksum = header.apply(ip.checksum);
    } else {
        header_at<Ipv6Header>(l3).payload_length =
            Be16::from_host(static_cast<std::uint16_t>(l3_length - sizeof(Ipv6Header)));
    }
    return true;
}

} // namespace penstock
