// SPDX-License-Identifier: Apache-2.0
// Rings by which workers hand packets to each other: replies of NAT come to any worker, and only the
// one that owns the flow can send them on (docs/design/nat.md).
//
// One ring for each ordered pair of workers, with one producer and one consumer, so that nobody
// waits for anybody and nothing is locked. A ring is bounded: when it is full the packet is dropped
// by the giver, as hand_over_full.
//
// Thread rule: constructed before the workers run and destroyed after their end. give() belongs to
// worker `from`, take() to worker `to`.
#pragma once

#include "dataplane/core/identity.hpp"
#include "dataplane/core/line_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

struct rte_mbuf;
struct rte_ring;

namespace penstock {

/// What travels with a packet from worker to worker, in its buffer.
struct HandOverNote {
    PortId rx_port;              ///< where it came in
    std::uint8_t hand_overs = 0; ///< Packet::hand_overs, this one included
};

class HandOver {
public:
    /// Packets that one ring holds: what a worker leaves to another in some 50 µs, its longest
    /// sleep, at 10 million a second.
    static constexpr unsigned ring_packets = 511;

    /// For workers 0 … workers - 1. Allocates workers² · 4.4 KB; nobody uses the
    /// rings from a worker to itself.
    explicit HandOver(std::size_t workers);
    HandOver(const HandOver&) = delete;
    HandOver& operator=(const HandOver&) = delete;

    /// False if the ring is full: the packet is still the giver's. REQUIRES: from != to.
    [[nodiscard]] bool
    give(std::size_t from, std::size_t to, rte_mbuf* packet, const HandOverNote& note);

    /// Takes what the others have for worker `to`, as many as `packets` has room for; returns how
    /// many. Takes from all in turn: the next call begins with `next`, which it moves on.
    [[nodiscard]] std::size_t take(std::size_t to, std::span<rte_mbuf*> packets, std::size_t& next);

    /// The note of a packet that take() returned.
    [[nodiscard]] static HandOverNote note_of(const rte_mbuf& packet);

private:
    [[nodiscard]] rte_ring* ring(std::size_t from, std::size_t to);

    std::size_t workers_;
    std::size_t ring_bytes_;
    LineMemory memory_;
};

} // namespace penstock
