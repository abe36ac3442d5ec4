// SPDX-License-Identifier: Apache-2.0
// Makes the next packet of a set of TCP flows from arithmetic alone: a table of flows would cost
// cache misses of its own and be measured as ours.
//
// Flow n is port 1024 + n % 256 of the address n / 256: 10.0.0.0 + n / 256, or 2001:db8:1::n/256.
// Each flow of the set comes once before any comes again, in steps of a fixed length; the flow
// table sees them in the order of their keyed hashes, which is random.
//
// Thread rule: one thread.
#pragma once

#include "bench/forwarding_case.hpp"
#include "dataplane/core/headers.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <numeric>

namespace penstock::bench {

class Generator {
public:
    /// Packets with these TCP flags of the flows [first, first + flows) to port 80 of the case's
    /// VIP. REQUIRES: 0 < flows and first + flows < 2^31.
    Generator(
        const ForwardingCase& forwarding,
        std::uint8_t tcp_flags,
        std::uint32_t flows,
        std::uint32_t first = 0
    )
        : is_ipv4_(forwarding.family == Family::ipv4), flows_(flows), first_(first) {
        // Near the golden section, so that neighbours in time are no neighbours in number.
        step_ = static_cast<std::uint32_t>(std::uint64_t{flows} * 618 / 1000) + 1;
        while (std::gcd(step_, flows) != 1) {
            ++step_;
        }
        write_header(
            template_.data(),
            EthernetHeader{
                .destination = {{2, 0, 0, 0, 0, 1}},
                .source = {{2, 0, 0, 0, 0, 2}},
                .ethertype = is_ipv4_ ? ethertype_ipv4 : ethertype_ipv6,
            }
        );
        const IpAddress vip = *IpAddress::parse(forwarding.vip);
        const std::size_t l4 = is_ipv4_ ? write_ipv4(vip) : write_ipv6(vip);
        port_offset_ = l4;
        write_header(
            template_.data() + l4,
            TcpHeader{
                .source_port = {0},
                .destination_port = Be16::from_host(80),
                .sequence = {0},
                .acknowledgement = {0},
                .data_offset = 0x50,
                .flags = tcp_flags,
                .window = Be16::from_host(1024),
                .checksum = {0},
                .urgent = {0},
            }
        );
    }

    /// Bytes of every frame, the check sequence apart: the least that Ethernet and the headers
    /// allow.
    [[nodiscard]] std::uint16_t frame_bytes() const { return is_ipv4_ ? 60 : 74; }

    /// Writes max_frame_bytes bytes at `data`, of which frame_bytes() are the frame.
    void write_next(std::uint8_t* data) {
        at_ += step_;
        at_ -= at_ >= flows_ ? flows_ : 0;
        write(data, first_ + at_);
    }

    /// The packet of one flow by number.
    void write(std::uint8_t* data, std::uint32_t flow) const {
        std::memcpy(data, template_.data(), max_frame_bytes);
        std::uint8_t* const ip = data + sizeof(EthernetHeader);
        if (is_ipv4_) {
            const Be32 source = Be32::from_host(0x0a000000U + (flow >> 8U));
            write_header(ip + offsetof(Ipv4Header, source), source);
            write_header(
                ip + offsetof(Ipv4Header, checksum), finish_checksum(checksum_base_ + source.raw)
            );
        } else {
            constexpr std::size_t low_half = offsetof(Ipv6Header, source) + 12;
            write_header(ip + low_half, Be32::from_host(flow >> 8U));
        }
        const auto port = static_cast<std::uint16_t>(1024U + (flow & 0xffU));
        write_header(data + port_offset_, Be16::from_host(port));
    }

private:
    std::size_t write_ipv4(const IpAddress& vip) {
        const Ipv4Header ip{
            .version_ihl = 0x45,
            .tos = 0,
            .total_length = Be16::from_host(60 - sizeof(EthernetHeader)),
            .id = {0},
            .fragment = Be16::from_host(Ipv4Header::dont_fragment),
            .ttl = 60,
            .protocol = protocol_tcp,
            .checksum = {0},
            .source = {0},
            .destination = vip.ipv4(),
        };
        write_header(template_.data() + sizeof(EthernetHeader), ip);
        checksum_base_ = add_to_checksum(
            0, std::span(template_).subspan(sizeof(EthernetHeader), sizeof(Ipv4Header))
        );
        return sizeof(EthernetHeader) + sizeof(Ipv4Header);
    }

    std::size_t write_ipv6(const IpAddress& vip) {
        Ipv6Header ip{
            .version_class_flow = Be32::from_host(6U << 28U),
            .payload_length = Be16::from_host(sizeof(TcpHeader)),
            .next_header = protocol_tcp,
            .hop_limit = 60,
            .source = {},
            .destination = vip.bytes(),
        };
        ip.source = IpAddress::parse("2001:db8:1::")->bytes();
        write_header(template_.data() + sizeof(EthernetHeader), ip);
        return sizeof(EthernetHeader) + sizeof(Ipv6Header);
    }

    std::array<std::uint8_t, max_frame_bytes> template_{};
    std::uint64_t checksum_base_ = 0;
    std::size_t port_offset_ = 0;
    bool is_ipv4_;
    std::uint32_t flows_;
    std::uint32_t first_;
    std::uint32_t step_ = 1;
    std::uint32_t at_ = 0;
};

} // namespace penstock::bench
