// SPDX-License-Identifier: Apache-2.0
// The loop that every cycle figure comes from: receive a burst, write the next flow's packet into
// each buffer, do the work, transmit.
//
// Thread rule: a port, a generator and a subject belong to one thread.
#pragma once

#include "bench/generator.hpp"
#include "bench/subject.hpp"

#include <array>
#include <cstdint>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <span>

namespace penstock::bench {

inline constexpr std::uint16_t packets_in_loop = 64;

// The work on one burst. All of them are told what the worker's loop (dataplane/dpdk/worker.cpp)
// would be: the buffers as the driver gave them.

struct Io {
    void operator()(std::span<rte_mbuf*> /*burst*/) const {}
};

/// Exchanges the MAC addresses: the least that any forwarder does.
struct Macswap {
    void operator()(std::span<rte_mbuf*> burst) const {
        for (rte_mbuf* mbuf : burst) {
            auto* const data = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
            const auto source = read_header<MacAddress>(data + sizeof(MacAddress));
            write_header(data + sizeof(MacAddress), read_header<MacAddress>(data));
            write_header(data, source);
        }
    }
};

struct Penstock {
    Subject& subject;
    std::uint64_t& forwarded;

    void operator()(std::span<rte_mbuf*> burst) const {
        const std::span<Packet> packets = subject.packets(burst.size());
        const std::span<Verdict> verdicts = subject.verdicts(burst.size());
        for (std::size_t i = 0; i < burst.size(); ++i) {
            packets[i] = {
                .data = rte_pktmbuf_mtod(burst[i], std::uint8_t*),
                .length = burst[i]->data_len,
                .total_length = burst[i]->pkt_len,
                .headroom = burst[i]->data_off,
                .rx_port = {0},
            };
        }
        subject.process(packets, verdicts);
        for (std::size_t i = 0; i < burst.size(); ++i) {
            burst[i]->data_off = packets[i].headroom;
            burst[i]->data_len = static_cast<std::uint16_t>(packets[i].length);
            burst[i]->pkt_len = packets[i].total_length;
            forwarded += verdicts[i].kind == VerdictKind::forward ? 1 : 0;
        }
    }
};

/// Runs `packets` packets through the loop; returns TSC cycles per packet. `source` has
/// frame_bytes() and write_next(), as a Generator has.
template <typename Source, typename Work>
double run_loop(std::uint16_t port, Source& source, std::uint64_t packets, const Work& work) {
    std::array<rte_mbuf*, max_burst> burst{};
    std::uint64_t done = 0;
    const std::uint64_t begin = ::rte_rdtsc_precise();
    while (done < packets) {
        const std::uint16_t received = ::rte_eth_rx_burst(port, 0, burst.data(), max_burst);
        for (std::uint16_t i = 0; i < received; ++i) {
            rte_mbuf* const mbuf = burst[i];
            mbuf->data_off = RTE_PKTMBUF_HEADROOM;
            mbuf->data_len = source.frame_bytes();
            mbuf->pkt_len = source.frame_bytes();
            source.write_next(rte_pktmbuf_mtod(mbuf, std::uint8_t*));
        }
        work(std::span(burst).first(received));
        done += ::rte_eth_tx_burst(port, 0, burst.data(), received);
    }
    const std::uint64_t cycles = ::rte_rdtsc_precise() - begin;
    return static_cast<double>(cycles) / static_cast<double>(done);
}

} // namespace penstock::bench
