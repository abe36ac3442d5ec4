// SPDX-License-Identifier: Apache-2.0
// Tells a client that its packets are too big: ICMP fragmentation needed (RFC 792, RFC 1191 4) and
// ICMPv6 packet too big (RFC 4443 3.2), from the VIP that it sent to. Without it a connection whose
// path narrows behind us hangs at its first large packet.
//
// Thread rule: pure edits of one packet.
#pragma once

#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/port_facts.hpp"

#include <cstdint>

namespace penstock {

/// How many such messages one worker may send (RFC 1812 4.3.2.8, RFC 4443 2.4 f): a flood of large
/// packets must not become a flood of answers.
class ReplyBudget {
public:
    static constexpr std::uint32_t replies_per_tick = 1000; ///< a tick is 2 s

    /// True if one more may be sent now.
    [[nodiscard]] bool take(CoarseTime now) {
        if (now.ticks != tick_.ticks) {
            tick_ = now;
            used_ = 0;
        }
        return used_++ < replies_per_tick;
    }

private:
    CoarseTime tick_;
    std::uint32_t used_ = 0;
};

/// Decides a packet that is larger than `mtu`, the largest layer-3 packet that would have fitted, and
/// may not be cut. It becomes the message that names `mtu`, or 1,280 for IPv6 if that is more (RFC 2473
/// 7.1: a sender ignores less), and quotes as much of it as there is room for, at most 576 or 1,280
/// bytes in all; the message is never longer than the packet was. Dropped as bad_reply_target, and left
/// as it came, if its source must not be answered.
///
/// Dropped as too_big, likewise, if nobody may be told, or it would help nobody: ICMP errors and IPv4
/// fragments but the first are never answered by an error (RFC 1122 3.2.2, RFC 4443 2.4 e), and no IPv6
/// sender makes its packets smaller than 1,280 bytes (RFC 8201 4); and if `budget` is used up or there
/// is no room for the message. REQUIRES: parsed.kind is ipv4 or ipv6.
[[nodiscard]] Verdict decide_too_big(
    Packet& packet,
    const ParsedPacket& parsed,
    const PortFacts& port,
    std::uint16_t mtu,
    ReplyBudget& budget,
    CoarseTime now
);

/// The message about a packet that a router quoted to us: `quoted` is where it begins in `packet`, with
/// `length` bytes there, a whole IP header of `family` and eight bytes at least. REQUIRES: 48 bytes
/// of the packet stand before `quoted` behind layer 2, which is `l3` bytes long.
[[nodiscard]] Verdict answer_quoted_too_big(
    Packet& packet,
    std::uint8_t l3,
    std::uint8_t* quoted,
    std::uint32_t length,
    Family family,
    const PortFacts& port,
    std::uint16_t mtu
);

} // namespace penstock
