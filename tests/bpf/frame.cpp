// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/frame.hpp"

#include <array>
#include <cstdlib>
#include <fmt/format.h>
#include <numeric>
#include <span>

namespace penstock::bpf::test {

namespace {

void put16(Bytes& bytes, std::uint16_t value) {
    bytes.push_back(static_cast<std::uint8_t>(value >> 8U));
    bytes.push_back(static_cast<std::uint8_t>(value));
}

void put_address(Bytes& bytes, std::string_view text) {
    const IpAddress value = address(text);
    const std::size_t skipped = value.is_ipv4() ? 12 : 0;
    for (const std::uint8_t byte : std::span(value.bytes()).subspan(skipped))
        bytes.push_back(byte);
}

std::uint16_t checksum(const Bytes& bytes, std::size_t length) {
    std::uint32_t sum = 0;
    for (std::size_t at = 0; at + 1 < length; at += 2)
        sum += static_cast<std::uint32_t>(bytes[at] << 8U) + bytes[at + 1];
    while ((sum >> 16U) != 0)
        sum = (sum & 0xffffU) + (sum >> 16U);
    return static_cast<std::uint16_t>(~sum);
}

} // namespace

IpAddress address(std::string_view text) {
    const auto parsed = IpAddress::parse(text);
    if (!parsed) {
        fmt::print(stderr, "the test's own address '{}' is none\n", text);
        std::abort();
    }
    return *parsed;
}

IpPrefix prefix(std::string_view text) {
    const auto parsed = IpPrefix::parse(text);
    if (!parsed) {
        fmt::print(stderr, "the test's own prefix '{}' is none\n", text);
        std::abort();
    }
    return *parsed;
}

Bytes join(const Bytes& left, const Bytes& right) {
    Bytes all = left;
    all.insert(all.end(), right.begin(), right.end());
    return all;
}

Bytes ethernet(std::uint16_t ether_type, const Bytes& payload) {
    Bytes frame = {0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0x02};
    put16(frame, ether_type);
    return join(frame, payload);
}

Bytes vlan(std::uint16_t id, std::uint16_t ether_type, const Bytes& payload) {
    Bytes tag;
    put16(tag, id);
    put16(tag, ether_type);
    return join(tag, payload);
}

Bytes ipv4(const Ipv4& header, const Bytes& payload) {
    const std::size_t length = 20 + header.options.size();
    Bytes packet = {static_cast<std::uint8_t>(0x40U | (length / 4)), header.tos};
    put16(packet, static_cast<std::uint16_t>(length + payload.size()));
    put16(packet, 0x1234);
    put16(packet, header.fragment);
    packet.push_back(64);
    packet.push_back(header.protocol);
    put16(packet, 0);
    put_address(packet, header.source);
    put_address(packet, header.destination);
    packet = join(packet, header.options);
    const std::uint16_t sum = checksum(packet, length);
    packet[10] = static_cast<std::uint8_t>(sum >> 8U);
    packet[11] = static_cast<std::uint8_t>(sum);
    return join(packet, payload);
}

Bytes ipv6(const Ipv6& header, const Bytes& payload) {
    Bytes packet = {
        static_cast<std::uint8_t>(0x60U | (header.traffic_class >> 4U)),
        static_cast<std::uint8_t>((header.traffic_class & 0xfU) << 4U),
        0,
        0
    };
    put16(packet, static_cast<std::uint16_t>(payload.size()));
    packet.push_back(header.next_header);
    packet.push_back(255);
    put_address(packet, header.source);
    put_address(packet, header.destination);
    return join(packet, payload);
}

Bytes ip(
    std::string_view source,
    std::string_view destination,
    std::uint8_t protocol,
    const Bytes& payload,
    std::uint8_t tos
) {
    if (address(destination).is_ipv4())
        return ipv4(
            {.source = source, .destination = destination, .protocol = protocol, .tos = tos},
            payload
        );
    return ipv6(
        {.source = source, .destination = destination, .next_header = protocol, .traffic_class = tos
        },
        payload
    );
}

Bytes udp(std::uint16_t destination_port, const Bytes& payload) {
    Bytes datagram;
    put16(datagram, 40000);
    put16(datagram, destination_port);
    put16(datagram, static_cast<std::uint16_t>(8 + payload.size()));
    put16(datagram, 0);
    return join(datagram, payload);
}

Bytes gre(std::uint16_t flags, std::uint16_t ether_type, const Bytes& payload) {
    Bytes packet;
    put16(packet, flags);
    put16(packet, ether_type);
    for (const std::uint16_t word : std::to_array<std::uint16_t>({0x8000, 0x2000, 0x1000})) {
        if ((flags & word) != 0)
            packet = join(packet, {0xde, 0xad, 0xbe, 0xef});
    }
    return join(packet, payload);
}

Bytes gue(const Gue& header, const Bytes& payload) {
    const auto words = static_cast<std::uint8_t>(header.optional.size() / 4);
    Bytes packet = {static_cast<std::uint8_t>(header.first | words), header.protocol};
    put16(packet, header.flags);
    return join(join(packet, header.optional), payload);
}

Bytes icmp_error(std::uint8_t type, std::uint8_t code, const Bytes& packet) {
    return join({type, code, 0, 0, 0, 0, 5, 0xdc}, packet);
}

Bytes arp(std::uint16_t operation, std::string_view target) {
    Bytes packet = {0, 1, 8, 0, 6, 4};
    put16(packet, operation);
    packet = join(packet, {0x02, 0, 0, 0, 0, 0x02});
    put_address(packet, "192.0.2.7");
    packet = join(packet, {0, 0, 0, 0, 0, 0});
    put_address(packet, target);
    return packet;
}

Bytes neighbour_message(std::uint8_t type, std::string_view target) {
    Bytes message = {type, 0, 0xab, 0xcd, 0, 0, 0, 0};
    put_address(message, target);
    return message;
}

Bytes payload() {
    Bytes bytes(24);
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{0x80});
    return bytes;
}

} // namespace penstock::bpf::test
