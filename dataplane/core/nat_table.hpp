// SPDX-License-Identifier: Apache-2.0
// The flows of NAT services, with their full tuples both ways. Such a service has no entries in the
// flow table: this is where its flows live, so that both directions keep one entry alive and one
// state says when the flow ends.
//
//   forward  client:port ─► VIP:port       found by the hash of this tuple
//   reply    server:port ─► source:port    found by the hash of that one
//
// Two chained hash tables over one array of entries: an insert fails only if no entry is left, and
// then nothing is evicted: the new flow is refused and counted, established ones go on.
//
//   free ──insert──► live ──retire──► resting ──rest over──► free
//
// A resting entry is no flow any more: it is not found by its tuples, but its port is taken until
// rest_s after the last packet that used it, so that a late packet of the old flow never reaches a
// new one and the server's TIME_WAIT is over.
//
// Chains are as long as chance makes them (the hashes are keyed; one head for each entry gives 1.5
// on average for a hit), so one look-up is two or three cache lines.
//
// Thread rule: the owner, a worker, alone. Memory comes from outside and is never grown.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/hash.hpp"
#include "dataplane/core/identity.hpp"
#include "dataplane/core/nat_ports.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace penstock {

/// How client frames came: replies go back the same way.
struct ClientPath {
    MacAddress mac; ///< of the router, or the client, that sent to us
    PortId port;
    std::uint8_t tag_bytes = 0;         ///< of `tags`: 0, 4 or 8
    std::array<std::uint8_t, 8> tags{}; ///< VLAN tags as they stood behind the MAC addresses

    friend bool operator==(const ClientPath&, const ClientPath&) = default;
};

/// Both tuples and the state of one flow: two cache lines, the first enough to reject.
struct alignas(64) NatFlow {
    IpAddress client;
    IpAddress vip;
    Be16 client_port{};
    Be16 vip_port{};
    Be16 server_port{};
    Be16 source_port{};
    std::uint32_t forward_hash = 0;
    std::uint32_t reply_hash = 0;
    std::uint32_t next_forward = 0; ///< the table's
    std::uint32_t next_reply = 0;   ///< the table's
    CoarseTime last_seen;
    std::uint8_t protocol = 0;
    FlowState state = FlowState::udp;
    bool live : 1 = false;    ///< the table's
    bool resting : 1 = false; ///< the table's
    bool client_finished : 1 = false;
    bool server_finished : 1 = false;
    bool server_answered : 1 = false; ///< TCP: more than a SYN came back
    IpAddress server;
    IpAddress source;
    ServiceId service;
    BackendId backend;
    ClientPath path;
};

static_assert(sizeof(NatFlow) == 128);

class NatTable {
public:
    static constexpr std::size_t max_flows = std::size_t{1} << 24U;

    /// No port is used again before this much time after the last packet that used it: twice the
    /// 30 s that Linux takes for a segment's lifetime.
    static constexpr unsigned rest_s = 60;

    /// Bytes for exactly `flows` entries, resting ones included. REQUIRES: 1 … max_flows.
    [[nodiscard]] static std::size_t bytes_for(std::size_t flows);

    /// REQUIRES: `memory` is aligned to 64, outlives the table and is bytes_for(flows) long.
    NatTable(std::span<std::byte> memory, std::size_t flows);

    NatTable(const NatTable&) = delete;
    NatTable& operator=(const NatTable&) = delete;

    [[nodiscard]] std::size_t capacity() const { return capacity_; }

    [[nodiscard]] std::size_t live() const { return live_; }

    [[nodiscard]] std::size_t resting() const { return resting_; }

    [[nodiscard]] bool full() const { return free_ == none; }

    /// Brings the head of a tuple's chain near.
    void prefetch_forward(FlowHash hash) const { __builtin_prefetch(&forward_[bucket(hash)]); }

    void prefetch_reply(FlowHash hash) const { __builtin_prefetch(&reply_[bucket(hash)]); }

    /// The live flow of a client's packet with this tuple, or nullptr. `hash` is the tuple's.
    [[nodiscard]] NatFlow* find_forward(FlowHash hash, const FlowTuple& tuple) const;

    /// The live flow of a server's packet with this tuple, or nullptr.
    [[nodiscard]] NatFlow* find_reply(FlowHash hash, const FlowTuple& tuple) const;

    /// True if a flow, live or resting, holds the reply tuple.
    [[nodiscard]] bool is_taken(FlowHash hash, const FlowTuple& tuple) const;

    /// Copies `flow` in as a live one, or returns nullptr if the table is full. `forward` and
    /// `reply` are the hashes of its tuples. REQUIRES: neither tuple is in the table.
    NatFlow* insert(const NatFlow& flow, FlowHash forward, FlowHash reply);

    /// What names a flow of the table, for at().
    [[nodiscard]] std::uint32_t index_of(const NatFlow& flow) const {
        return static_cast<std::uint32_t>(&flow - flows_);
    }

    /// The live flow of that place, which may be another one by now, or nullptr. REQUIRES: `index`
    /// is from index_of().
    [[nodiscard]] NatFlow* at(std::uint32_t index) const {
        return flows_[index].live ? &flows_[index] : nullptr;
    }

    /// Ends a live flow; its port rests.
    void retire(NatFlow& flow);

    /// Looks at the next `entries` entries: live ones for which `is_over(NatFlow)` holds are
    /// retired, resting ones whose rest is over are freed. Tells each through `retired(flow)` and
    /// `freed(flow)`, before its entry is used again. Continues where the last call stopped.
    template <typename IsOver, typename Retired, typename Freed>
    void
    sweep(std::size_t entries, CoarseTime now, IsOver&& is_over, Retired&& retired, Freed&& freed);

private:
    static constexpr std::uint32_t none = UINT32_MAX;

    [[nodiscard]] std::size_t bucket(FlowHash hash) const { return hash.value & mask_; }

    [[nodiscard]] std::size_t bucket(std::uint32_t hash) const { return hash & mask_; }

    [[nodiscard]] NatFlow* find_reply_entry(FlowHash hash, const FlowTuple& tuple) const;

    void unlink_forward(const NatFlow& flow);
    void release(NatFlow& flow);

    std::size_t capacity_;
    std::size_t mask_ = 0;
    NatFlow* flows_ = nullptr;
    std::uint32_t* forward_ = nullptr; ///< heads: index of an entry, or none
    std::uint32_t* reply_ = nullptr;
    std::uint32_t free_ = none; ///< entries that are free, linked by next_forward
    std::size_t live_ = 0;
    std::size_t resting_ = 0;
    std::size_t sweep_next_ = 0;
};

template <typename IsOver, typename Retired, typename Freed>
void NatTable::sweep(
    std::size_t entries, CoarseTime now, IsOver&& is_over, Retired&& retired, Freed&& freed
) {
    // Rounded up, plus one: a tick may be nearly over when the packet comes.
    constexpr unsigned rest_ticks =
        ((rest_s + CoarseTime::seconds_per_tick - 1) / CoarseTime::seconds_per_tick) + 1;
    for (std::size_t i = 0; i < entries && i < capacity_; ++i) {
        NatFlow& flow = flows_[sweep_next_];
        sweep_next_ = sweep_next_ + 1 == capacity_ ? 0 : sweep_next_ + 1;
        if (flow.live && is_over(flow)) {
            retire(flow);
            retired(flow);
        }
        if (flow.resting && now.since(flow.last_seen) >= rest_ticks) {
            freed(flow);
            release(flow);
        }
    }
}

} // namespace penstock
