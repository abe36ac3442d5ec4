// SPDX-License-Identifier: Apache-2.0
// A DPDK port whose transmit ring is its receive ring: what is sent comes back. The cheapest real
// driver, so that what is measured is the code between its two calls.
//
// Thread rule: one thread, a DPDK lcore. REQUIRES: EAL is initialised.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

struct rte_mempool;
struct rte_mbuf;

namespace penstock::bench {

class RingLoop {
public:
    /// Makes the port and puts `packets` buffers of frame_bytes bytes into the loop.
    [[nodiscard]] static std::expected<RingLoop, std::string> make(std::uint16_t packets);

    [[nodiscard]] std::uint16_t port() const { return port_; }

private:
    explicit RingLoop(std::uint16_t port) : port_(port) {}

    std::uint16_t port_;
};

} // namespace penstock::bench
