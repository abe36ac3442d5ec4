// SPDX-License-Identifier: Apache-2.0
// Which backend the fragments of a datagram follow: only the first one has ports.
//
// Nothing is reassembled. The first fragment is a packet of its flow like any other; the backend it
// went to is remembered under the datagram's identity (addresses, protocol, identification), and
// the others follow it there, overlapping or not: what they mean together is the server's business.
// The memory is a second flow table, keyed by datagram (docs/design/fragments.md).
//
// A fragment that comes before its first one is held, up to `held_capacity` of them and for
// `hold_s` at most. When the first one comes, or the time is up, take_ready() names them and the
// caller sends them through the pipeline again with Packet::was_held set: then they follow, or are
// dropped as fragment_without_first.
//
// Full: a datagram that finds no room loses its later fragments (fragment_without_first), an early
// one that finds no room is dropped (fragment_early_full). Both are counted; neither costs another
// datagram its place.
//
// Thread rule: one writer, the worker that owns it; other workers may find() only.
#pragma once

#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/hash.hpp"
#include "dataplane/core/identity.hpp"
#include "dataplane/core/packet.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace penstock {

class FragmentTracker {
public:
    /// Datagrams under way at once, for which room is certain.
    static constexpr std::size_t datagram_capacity = 16384;
    static constexpr std::size_t held_capacity = max_held_packets;
    /// How long a datagram's fragments may take (RFC 791 3.2 proposes 15 s, Linux waits 30).
    static constexpr std::uint16_t datagram_s = 30;
    /// How long an early one waits: networks reorder by milliseconds.
    static constexpr std::uint16_t hold_s = 2;

    [[nodiscard]] static std::size_t memory_bytes() {
        return FlowTable::bytes_for(datagram_capacity);
    }

    /// REQUIRES: as FlowTable's memory, memory_bytes() long.
    explicit FragmentTracker(std::span<std::byte> memory) : datagrams_(memory) {}

    /// Owner only: the first fragment of `datagram` went to `backend`. Those held for it are ready.
    void remember(FlowHash datagram, BackendId backend, CoarseTime now);

    /// The backend that `datagram` follows, or null_backend.
    [[nodiscard]] BackendId find(FlowHash datagram) const;

    /// Owner only: a place for an early fragment of `datagram`, or nothing if all are taken.
    [[nodiscard]] std::optional<HeldSlot> hold(FlowHash datagram, CoarseTime now);

    /// Owner only: a held packet whose wait is over, one at a time; its place is free then.
    [[nodiscard]] std::optional<HeldSlot> take_ready(CoarseTime now);

    /// Owner only: packets held now.
    [[nodiscard]] std::size_t held_count() const { return held_count_; }

    /// Owner only: forgets datagrams that took too long, in the next `buckets` buckets.
    void expire(CoarseTime now, std::size_t buckets);

    /// Owner only: forgets all of it, held packets too: their places are free.
    void forget();

    [[nodiscard]] std::size_t bucket_count() const { return datagrams_.bucket_count(); }

private:
    struct Held {
        FlowHash datagram;
        CoarseTime since;
        bool in_use = false;
        bool is_ready = false;
    };

    FlowTable datagrams_;
    std::array<Held, held_capacity> held_{};
    std::size_t held_count_ = 0;
};

} // namespace penstock
