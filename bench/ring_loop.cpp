// SPDX-License-Identifier: Apache-2.0
#include "bench/ring_loop.hpp"

#include "bench/forwarding_case.hpp"

#include <cstring>
#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

namespace penstock::bench {
namespace {

constexpr unsigned ring_entries = 1024;
constexpr unsigned pool_cache = 256;

std::unexpected<std::string> failed(const char* what) {
    return std::unexpected(fmt::format("{}: {}", what, ::rte_strerror(rte_errno)));
}

} // namespace

std::expected<std::uint16_t, std::string>
make_ring_port(const std::string& name, rte_ring* receive, rte_ring* transmit, rte_mempool* pool) {
    const int made = ::rte_eth_from_rings(name.c_str(), &receive, 1, &transmit, 1, SOCKET_ID_ANY);
    if (made < 0) {
        return failed("cannot make a port from rings");
    }
    const auto port = static_cast<std::uint16_t>(made);
    const rte_eth_conf configuration{};
    if (::rte_eth_dev_configure(port, 1, 1, &configuration) != 0 ||
        ::rte_eth_rx_queue_setup(port, 0, ring_entries, SOCKET_ID_ANY, nullptr, pool) != 0 ||
        ::rte_eth_tx_queue_setup(port, 0, ring_entries, SOCKET_ID_ANY, nullptr) != 0 ||
        ::rte_eth_dev_start(port) != 0) {
        return failed("cannot start the ring port");
    }
    return port;
}

std::expected<rte_ring*, std::string> make_ring(const std::string& name) {
    rte_ring* const ring =
        ::rte_ring_create(name.c_str(), ring_entries, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    return ring != nullptr ? std::expected<rte_ring*, std::string>(ring)
                           : failed("cannot make a ring");
}

std::expected<rte_mempool*, std::string> make_pool(const std::string& name, unsigned buffers) {
    rte_mempool* const pool = ::rte_pktmbuf_pool_create(
        name.c_str(), buffers, pool_cache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY
    );
    return pool != nullptr ? std::expected<rte_mempool*, std::string>(pool)
                           : failed("cannot make a buffer pool");
}

std::expected<RingLoop, std::string> RingLoop::make(std::uint16_t packets, unsigned number) {
    const auto name = fmt::format("loop{}", number);
    const auto ring = make_ring(name);
    const auto pool = make_pool(name, 2047);
    if (!ring || !pool) {
        return std::unexpected(!ring ? ring.error() : pool.error());
    }
    const auto port = make_ring_port("net_ring_" + name, *ring, *ring, *pool);
    if (!port) {
        return std::unexpected(port.error());
    }
    for (std::uint16_t i = 0; i < packets; ++i) {
        rte_mbuf* mbuf = ::rte_pktmbuf_alloc(*pool);
        if (mbuf == nullptr) {
            return failed("cannot take a buffer");
        }
        std::memset(::rte_pktmbuf_append(mbuf, max_frame_bytes), 0, max_frame_bytes);
        if (::rte_eth_tx_burst(*port, 0, &mbuf, 1) != 1) {
            return failed("cannot put a packet into the loop");
        }
    }
    return RingLoop(*port);
}

} // namespace penstock::bench
