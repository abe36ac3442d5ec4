// SPDX-License-Identifier: Apache-2.0
// DPDK ports made of rings. RingLoop is one whose transmit ring is its receive ring: what is sent
// comes back. The cheapest real driver, so that what is measured is the code between its two calls.
//
// Thread rule: made by the main thread; a port is used by one thread. REQUIRES: EAL is initialised.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

struct rte_mempool;
struct rte_ring;

namespace penstock::bench {

/// A ring of 1,023 packets, for one writer and one reader. `name` is unique in the process, as in
/// the functions below.
[[nodiscard]] std::expected<rte_ring*, std::string> make_ring(const std::string& name);

[[nodiscard]] std::expected<rte_mempool*, std::string>
make_pool(const std::string& name, unsigned buffers);

/// A started port that receives from one ring and sends into the other. Returns DPDK's number.
[[nodiscard]] std::expected<std::uint16_t, std::string>
make_ring_port(const std::string& name, rte_ring* receive, rte_ring* transmit, rte_mempool* pool);

class RingLoop {
public:
    /// Makes the port and puts `packets` buffers of max_frame_bytes bytes into the loop.
    [[nodiscard]] static std::expected<RingLoop, std::string>
    make(std::uint16_t packets, unsigned number = 0);

    [[nodiscard]] std::uint16_t port() const { return port_; }

private:
    explicit RingLoop(std::uint16_t port) : port_(port) {}

    std::uint16_t port_;
};

} // namespace penstock::bench
