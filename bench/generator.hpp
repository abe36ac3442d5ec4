// SPDX-License-Identifier: Apache-2.0
// Makes the next packet of a set of TCP flows, in pseudo-random order, from arithmetic alone: a
// table of flows would cost cache misses of its own and be measured as ours.
//
// Thread rule: one thread. Every flow of the set comes once before any comes again.
#pragma once

#include "dataplane/core/headers.hpp"

#include <array>
#include <bit>
#include <cstdint>

namespace penstock::bench {

inline constexpr std::size_t frame_bytes = 60; ///< a minimum frame without its check sequence

class Generator {
public:
    /// Flows of `tcp_flags` packets to 198.51.100.10:80. REQUIRES: flows is a power of two up to
    /// 2^24.
    Generator(std::uint32_t flows, std::uint8_t tcp_flags) : mask_(flows - 1) {
        write_header(
            template_.data(),
            EthernetHeader{
                .destination = {{2, 0, 0, 0, 0, 1}},
                .source = {{2, 0, 0, 0, 0, 2}},
                .ethertype = ethertype_ipv4,
            }
        );
        const Ipv4Header ip{
            .version_ihl = 0x45,
            .tos = 0,
            .total_length = Be16::from_host(frame_bytes - sizeof(EthernetHeader)),
            .id = {0},
            .fragment = Be16::from_host(Ipv4Header::dont_fragment),
            .ttl = 60,
            .protocol = protocol_tcp,
            .checksum = {0},
            .source = {0},
            .destination = Be32::from_host(0xc633640a),
        };
        write_header(template_.data() + sizeof(EthernetHeader), ip);
        checksum_base_ = add_to_checksum(
            0, std::span(template_).subspan(sizeof(EthernetHeader), sizeof(Ipv4Header))
        );
        const TcpHeader tcp{
            .source_port = {0},
            .destination_port = Be16::from_host(80),
            .sequence = {0},
            .acknowledgement = {0},
            .data_offset = 0x50,
            .flags = tcp_flags,
            .window = Be16::from_host(1024),
            .checksum = {0},
            .urgent = {0},
        };
        write_header(template_.data() + sizeof(EthernetHeader) + sizeof(Ipv4Header), tcp);
    }

    /// Writes frame_bytes bytes at `data`.
    void write_next(std::uint8_t* data) {
        // A full-period LCG modulo a power of two (Hull & Dobell 1962): multiplier 1 mod 4, odd
        // increment.
        state_ = (state_ * 1664525U) + 1013904223U;
        const std::uint32_t flow = state_ & mask_;
        std::memcpy(data, template_.data(), frame_bytes);
        const Be32 source = Be32::from_host(0x0a000000U + (flow >> 8U));
        const Be16 port = Be16::from_host(static_cast<std::uint16_t>(1024U + (flow & 0xffU)));
        std::uint8_t* const ip = data + sizeof(EthernetHeader);
        write_header(ip + offsetof(Ipv4Header, source), source);
        write_header(
            ip + offsetof(Ipv4Header, checksum), finish_checksum(checksum_base_ + source.raw)
        );
        write_header(ip + sizeof(Ipv4Header), port);
    }

private:
    std::array<std::uint8_t, frame_bytes> template_{};
    std::uint64_t checksum_base_ = 0;
    std::uint32_t mask_;
    std::uint32_t state_ = 1;
};

} // namespace penstock::bench
