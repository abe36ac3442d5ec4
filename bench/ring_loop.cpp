// SPDX-License-Identifier: Apache-2.0
#include "bench/ring_loop.hpp"

#include "bench/generator.hpp"

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

namespace penstock::bench {
namespace {

constexpr unsigned ring_entries = 1024;
constexpr unsigned pool_buffers = 4095;
constexpr unsigned pool_cache = 256;

std::unexpected<std::string> failed(const char* what) {
    return std::unexpected(std::string(what) + ": " + rte_strerror(rte_errno));
}

} // namespace

std::expected<RingLoop, std::string> RingLoop::make(std::uint16_t packets) {
    rte_ring* ring =
        rte_ring_create("loop", ring_entries, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    if (ring == nullptr) {
        return failed("cannot make a ring");
    }
    const int made = rte_eth_from_rings("net_ring_loop", &ring, 1, &ring, 1, rte_socket_id());
    if (made < 0) {
        return failed("cannot make a port from the ring");
    }
    const auto port = static_cast<std::uint16_t>(made);
    rte_mempool* const pool = rte_pktmbuf_pool_create(
        "loop_pool", pool_buffers, pool_cache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY
    );
    if (pool == nullptr) {
        return failed("cannot make a buffer pool");
    }
    rte_eth_conf configuration{};
    if (rte_eth_dev_configure(port, 1, 1, &configuration) != 0 ||
        rte_eth_rx_queue_setup(port, 0, ring_entries, SOCKET_ID_ANY, nullptr, pool) != 0 ||
        rte_eth_tx_queue_setup(port, 0, ring_entries, SOCKET_ID_ANY, nullptr) != 0 ||
        rte_eth_dev_start(port) != 0) {
        return failed("cannot start the ring port");
    }
    Generator generator(1, TcpHeader::ack);
    for (std::uint16_t i = 0; i < packets; ++i) {
        rte_mbuf* mbuf = rte_pktmbuf_alloc(pool);
        if (mbuf == nullptr) {
            return failed("cannot take a buffer");
        }
        generator.write_next(reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(mbuf, frame_bytes))
        );
        if (rte_eth_tx_burst(port, 0, &mbuf, 1) != 1) {
            return failed("cannot put a packet into the loop");
        }
    }
    return RingLoop(port);
}

} // namespace penstock::bench
