// SPDX-License-Identifier: Apache-2.0
// A packet as the core sees it, and what becomes of it.
//
// Thread rule: a packet belongs to the worker that received it. Invariant: [data - headroom, data +
// length) is memory that the pipeline may write; it never touches a byte outside it.
#pragma once

#include "dataplane/core/drop_reason.hpp"
#include "dataplane/core/identity.hpp"

#include <cstddef>
#include <cstdint>

namespace penstock {

/// Packets of one poll, at most.
inline constexpr std::size_t max_burst = 32;

/// Packets that one worker may hold back at once (fragments.hpp).
inline constexpr std::size_t max_held_packets = 64;

/// Where the caller keeps a packet that is held back. REQUIRES: index < max_held_packets.
struct HeldSlot {
    std::uint8_t index = 0;
    friend constexpr bool operator==(HeldSlot, HeldSlot) = default;
};

/// A frame, beginning with its Ethernet header. The pipeline moves `data` back into the headroom to
/// prepend headers and keeps the three lengths true.
struct Packet {
    std::uint8_t* data = nullptr;
    std::uint32_t length = 0; ///< contiguous bytes at `data`
    std::uint32_t total_length =
        0; ///< of the whole frame; larger than `length` if it has more segments
    std::uint16_t headroom = 0; ///< writable bytes before `data`
    PortId rx_port;
    bool was_held = false; ///< it comes for the second time, and must not be held again
    /// Workers that handed it over before: the caller keeps the number with the packet.
    std::uint8_t hand_overs = 0;
};

/// Moves the beginning of the packet back by `bytes` that are written already or will be. REQUIRES:
/// headroom >= bytes.
inline void prepend(Packet& packet, std::uint16_t bytes) {
    packet.data -= bytes;
    packet.length += bytes;
    packet.total_length += bytes;
    packet.headroom = static_cast<std::uint16_t>(packet.headroom - bytes);
}

enum class VerdictKind : std::uint8_t {
    forward, ///< to a backend, out of tx_port
    reply,   ///< answered by us: the packet now holds the answer, out of tx_port
    kernel,  ///< not ours: to the exception path of the port it came from
    drop,    ///< with a reason
    /// To the worker `worker`, as it came, which sends it through its own pipeline with
    /// Packet::hand_overs one higher. Only where there are several workers, and then fewer times
    /// than there are.
    hand_over,
    hold, ///< the caller keeps it in `held` until FragmentTracker::take_ready() names that
};

/// No service: of a packet that matched none.
inline constexpr ServiceId null_service{0xffff};

// In this order a verdict is written in a few words.
struct Verdict {
    VerdictKind kind = VerdictKind::drop;
    DropReason reason = DropReason::no_snapshot; ///< meaningful if kind is drop
    HeldSlot held;                               ///< meaningful if kind is hold
    std::uint8_t worker = 0;                     ///< meaningful if kind is hand_over
    /// forward: largest layer-3 packet that may leave, if this one is larger: the caller cuts it
    /// (cut.hpp). 0: it leaves as it is.
    std::uint16_t cut_mtu = 0;
    PortId tx_port;                   ///< meaningful if kind is forward or reply
    ServiceId service = null_service; ///< that the packet matched
    BackendId backend = null_backend; ///< chosen for it, also if it is dropped then
};

[[nodiscard]] constexpr Verdict drop(DropReason reason) {
    return {.kind = VerdictKind::drop, .reason = reason};
}

} // namespace penstock
