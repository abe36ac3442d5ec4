// SPDX-License-Identifier: Apache-2.0
// Packets for tests, readable: what is not said is harmless.
//
//   PacketBuilder::tcp().from("192.0.2.1", 40000).to("198.51.100.10", 80).flags(TcpHeader::syn)
//       .vlan(7).build()
//
// and the memory a packet lies in: exactly as large as headroom and frame, so that ASan reports the
// first byte read or written outside.
#pragma once

#include "dataplane/core/headers.hpp"
#include "dataplane/core/packet.hpp"
#include "tests/unit/core/naive_checksum.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock::test {

using Bytes = std::vector<std::uint8_t>;

/// REQUIRES: `text` is an address; aborts otherwise.
inline IpAddress ip(std::string_view text) {
    const auto address = IpAddress::parse(text);
    if (!address) {
        std::abort();
    }
    return *address;
}

inline constexpr MacAddress client_mac{{0x02, 0, 0, 0, 0, 0x01}};
inline constexpr MacAddress our_mac{{0x02, 0, 0, 0, 0, 0xaa}};

class PacketBuilder {
public:
    static PacketBuilder tcp() { return PacketBuilder(protocol_tcp); }

    static PacketBuilder udp() { return PacketBuilder(protocol_udp); }

    /// An echo request unless icmp_type() says otherwise.
    static PacketBuilder icmp() { return PacketBuilder(protocol_icmp); }

    /// An echo request unless icmp_type() says otherwise. The word behind the checksum is the
    /// source port and 1.
    static PacketBuilder icmpv6_message() {
        PacketBuilder builder(protocol_icmpv6);
        builder.icmp_type_ = IcmpHeader::v6_echo_request;
        return builder;
    }

    /// `payload` follows the IP header at once.
    static PacketBuilder ip_protocol(std::uint8_t protocol) { return PacketBuilder(protocol); }

    PacketBuilder& from(std::string_view address, std::uint16_t port = 40000) {
        source_ = ip(address);
        source_port_ = port;
        return *this;
    }

    PacketBuilder& to(std::string_view address, std::uint16_t port = 80) {
        destination_ = ip(address);
        destination_port_ = port;
        return *this;
    }

    PacketBuilder& flags(std::uint8_t value) { return set(tcp_flags_, value); }

    PacketBuilder& tos(std::uint8_t value) { return set(tos_, value); }

    PacketBuilder& id(std::uint16_t value) { return set(id_, value); }

    PacketBuilder& ttl(std::uint8_t value) { return set(ttl_, value); }

    PacketBuilder& dont_fragment() { return set(fragment_, Ipv4Header::dont_fragment); }

    /// `offset` in units of 8 bytes.
    PacketBuilder& fragment(std::uint16_t offset, bool more) {
        const unsigned flags = more ? Ipv4Header::more_fragments : 0U;
        return set(fragment_, static_cast<std::uint16_t>(offset | flags));
    }

    /// IPv4 options; the length is a multiple of 4.
    PacketBuilder& options(Bytes bytes) { return set(options_, std::move(bytes)); }

    /// An IPv6 extension header: its type, and its bytes without the first, "next header".
    PacketBuilder& extension(std::uint8_t type, Bytes rest) {
        extensions_.emplace_back(type, std::move(rest));
        return *this;
    }

    PacketBuilder& vlan(std::uint16_t vlan_id, Be16 ethertype = ethertype_vlan) {
        tags_.emplace_back(vlan_id, ethertype);
        return *this;
    }

    PacketBuilder& payload(std::size_t length) {
        payload_.resize(length);
        for (std::size_t i = 0; i < length; ++i) {
            payload_[i] = static_cast<std::uint8_t>(i * 7);
        }
        return *this;
    }

    PacketBuilder& payload(Bytes bytes) { return set(payload_, std::move(bytes)); }

    PacketBuilder& icmp_type(std::uint8_t type, std::uint8_t code = 0) {
        icmp_code_ = code;
        return set(icmp_type_, type);
    }

    /// Right TCP and UDP checksums; without, TCP's is wrong and UDP has none.
    PacketBuilder& checksums() { return set(has_checksums_, true); }

    /// TCP options; the length is a multiple of 4.
    PacketBuilder& tcp_options(Bytes bytes) { return set(tcp_options_, std::move(bytes)); }

    /// Bytes behind the layer-3 packet, as Ethernet pads short frames.
    PacketBuilder& padding(std::size_t length) { return set(padding_, length); }

    [[nodiscard]] Bytes build() const;

private:
    explicit PacketBuilder(std::uint8_t protocol) : protocol_(protocol) {}

    template <typename Value>
    PacketBuilder& set(Value& member, Value value) {
        member = std::move(value);
        return *this;
    }

    [[nodiscard]] Bytes layer4() const;
    [[nodiscard]] Bytes icmpv6() const;
    void put_checksum(Bytes& segment, std::size_t at) const;
    [[nodiscard]] Bytes layer3_ipv4() const;
    [[nodiscard]] Bytes layer3_ipv6() const;

    std::uint8_t protocol_;
    IpAddress source_ = ip("192.0.2.1");
    IpAddress destination_ = ip("198.51.100.10");
    std::uint16_t source_port_ = 40000;
    std::uint16_t destination_port_ = 80;
    std::uint8_t tcp_flags_ = TcpHeader::ack;
    std::uint8_t tos_ = 0;
    std::uint8_t ttl_ = 63;
    std::uint16_t id_ = 0x1234;
    std::uint16_t fragment_ = 0;
    std::uint8_t icmp_type_ = IcmpHeader::echo_request;
    std::uint8_t icmp_code_ = 0;
    std::size_t padding_ = 0;
    bool has_checksums_ = false;
    Bytes tcp_options_;
    Bytes options_;
    Bytes payload_;
    std::vector<std::pair<std::uint8_t, Bytes>> extensions_;
    std::vector<std::pair<std::uint16_t, Be16>> tags_;
};

template <typename Header>
void append_header(Bytes& bytes, const Header& header) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(&header);
    bytes.insert(bytes.end(), begin, begin + sizeof header);
}

inline void append(Bytes& bytes, const Bytes& more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
}

/// With the pseudo-header of either family (RFC 9293 3.1, RFC 8200 8.1).
inline void PacketBuilder::put_checksum(Bytes& segment, std::size_t at) const {
    segment[at] = 0;
    segment[at + 1] = 0;
    Bytes summed;
    if (source_.is_ipv4()) {
        append_header(summed, source_.ipv4());
        append_header(summed, destination_.ipv4());
    } else {
        append_header(summed, source_.bytes());
        append_header(summed, destination_.bytes());
    }
    append_header(summed, Be16{0});
    append_header(summed, Be16::from_host(static_cast<std::uint16_t>(segment.size())));
    append(summed, {0, protocol_});
    append(summed, segment);
    std::uint16_t checksum = naive_checksum(summed);
    checksum = checksum == 0 && protocol_ == protocol_udp ? 0xffff : checksum;
    segment[at] = static_cast<std::uint8_t>(checksum >> 8U);
    segment[at + 1] = static_cast<std::uint8_t>(checksum & 0xffU);
}

inline Bytes PacketBuilder::icmpv6() const {
    Bytes bytes;
    append_header(
        bytes,
        IcmpHeader{icmp_type_, icmp_code_, {0}, Be16::from_host(source_port_), Be16::from_host(1)}
    );
    append(bytes, payload_);
    put_checksum(bytes, 2);
    return bytes;
}

inline Bytes PacketBuilder::layer4() const {
    Bytes bytes;
    const Be16 source = Be16::from_host(source_port_);
    const Be16 destination = Be16::from_host(destination_port_);
    if (protocol_ == protocol_tcp) {
        append_header(
            bytes,
            TcpHeader{
                .source_port = source,
                .destination_port = destination,
                .sequence = Be32::from_host(1),
                .acknowledgement = Be32::from_host(1),
                .data_offset = static_cast<std::uint8_t>((5 + tcp_options_.size() / 4) << 4U),
                .flags = tcp_flags_,
                .window = Be16::from_host(65535),
                .checksum = {0xbeef}, // the endpoints' business
                .urgent = {0},
            }
        );
        append(bytes, tcp_options_);
    } else if (protocol_ == protocol_udp) {
        const auto length = static_cast<std::uint16_t>(sizeof(UdpHeader) + payload_.size());
        append_header(bytes, UdpHeader{source, destination, Be16::from_host(length), {0}});
    } else if (protocol_ == protocol_icmp) {
        append_header(
            bytes,
            IcmpHeader{
                icmp_type_, icmp_code_, {0}, Be16::from_host(source_port_), Be16::from_host(1)
            }
        );
    }
    append(bytes, payload_);
    if (has_checksums_ && (protocol_ == protocol_tcp || protocol_ == protocol_udp)) {
        put_checksum(bytes, protocol_ == protocol_tcp ? 16 : 6);
    }
    if (protocol_ == protocol_icmpv6) {
        bytes = icmpv6();
    }
    if (protocol_ == protocol_icmp) {
        const std::uint16_t checksum = naive_checksum(bytes);
        bytes[2] = static_cast<std::uint8_t>(checksum >> 8U);
        bytes[3] = static_cast<std::uint8_t>(checksum & 0xffU);
    }
    return bytes;
}

inline Bytes PacketBuilder::layer3_ipv4() const {
    const Bytes inside = layer4();
    const std::size_t header_length = sizeof(Ipv4Header) + options_.size();
    Bytes bytes;
    append_header(
        bytes,
        Ipv4Header{
            .version_ihl = static_cast<std::uint8_t>(0x40U | (header_length / 4)),
            .tos = tos_,
            .total_length =
                Be16::from_host(static_cast<std::uint16_t>(header_length + inside.size())),
            .id = Be16::from_host(id_),
            .fragment = Be16::from_host(fragment_),
            .ttl = ttl_,
            .protocol = protocol_,
            .checksum = {0},
            .source = source_.ipv4(),
            .destination = destination_.ipv4(),
        }
    );
    append(bytes, options_);
    const std::uint16_t checksum = naive_checksum(bytes);
    bytes[10] = static_cast<std::uint8_t>(checksum >> 8U);
    bytes[11] = static_cast<std::uint8_t>(checksum & 0xffU);
    append(bytes, inside);
    return bytes;
}

inline Bytes PacketBuilder::layer3_ipv6() const {
    Bytes inside;
    for (std::size_t i = 0; i < extensions_.size(); ++i) {
        inside.push_back(i + 1 < extensions_.size() ? extensions_[i + 1].first : protocol_);
        append(inside, extensions_[i].second);
    }
    append(inside, layer4());
    Bytes bytes;
    append_header(
        bytes,
        Ipv6Header{
            .version_class_flow = Be32::from_host(0x60000000U | (std::uint32_t{tos_} << 20U)),
            .payload_length = Be16::from_host(static_cast<std::uint16_t>(inside.size())),
            .next_header = extensions_.empty() ? protocol_ : extensions_.front().first,
            .hop_limit = ttl_,
            .source = source_.bytes(),
            .destination = destination_.bytes(),
        }
    );
    append(bytes, inside);
    return bytes;
}

inline Bytes PacketBuilder::build() const {
    const bool ipv4 = source_.is_ipv4();
    const Be16 inner_type = ipv4 ? ethertype_ipv4 : ethertype_ipv6;
    Bytes frame;
    append_header(
        frame, EthernetHeader{our_mac, client_mac, tags_.empty() ? inner_type : tags_[0].second}
    );
    for (std::size_t i = 0; i < tags_.size(); ++i) {
        const Be16 next = i + 1 < tags_.size() ? tags_[i + 1].second : inner_type;
        append_header(frame, VlanTag{Be16::from_host(tags_[i].first), next});
    }
    append(frame, ipv4 ? layer3_ipv4() : layer3_ipv6());
    frame.insert(frame.end(), padding_, std::uint8_t{0xee});
    return frame;
}

/// An ARP packet for IPv4 over Ethernet; operation 1 asks, 2 answers.
inline Bytes
arp_frame(std::uint16_t operation, std::string_view sender_ip, std::string_view target_ip) {
    Bytes frame;
    append_header(
        frame, EthernetHeader{{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, client_mac, ethertype_arp}
    );
    append_header(
        frame,
        ArpPacket{
            .hardware_type = Be16::from_host(1),
            .protocol_type = ethertype_ipv4,
            .hardware_length = 6,
            .protocol_length = 4,
            .operation = Be16::from_host(operation),
            .sender_mac = client_mac,
            .sender_ip = ip(sender_ip).ipv4(),
            .target_mac = {},
            .target_ip = ip(target_ip).ipv4(),
        }
    );
    return frame;
}

/// A frame in memory of its own, with nothing to spare behind it and `headroom` before it.
class FrameBuffer {
public:
    explicit FrameBuffer(std::span<const std::uint8_t> frame, std::uint16_t headroom = 128)
        : memory_(std::make_unique<std::uint8_t[]>(headroom + frame.size())) {
        std::fill_n(memory_.get(), headroom, std::uint8_t{0xdd});
        std::copy(frame.begin(), frame.end(), memory_.get() + headroom);
        packet = {
            .data = memory_.get() + headroom,
            .length = static_cast<std::uint32_t>(frame.size()),
            .total_length = static_cast<std::uint32_t>(frame.size()),
            .headroom = headroom,
            .rx_port = {0},
        };
    }

    /// The frame as it stands now.
    [[nodiscard]] Bytes bytes() const { return {packet.data, packet.data + packet.length}; }

    Packet packet;

private:
    std::unique_ptr<std::uint8_t[]> memory_;
};

} // namespace penstock::test
