// SPDX-License-Identifier: Apache-2.0
// Which NAT flow the later fragments of a datagram belong to: only the first one has ports.
//
// Sets of four, by a keyed hash of the datagram; in a full set the oldest gives way, and the later
// fragments of its datagram are dropped as fragment_without_first.
//
// Thread rule: the worker that owns it, alone.
#pragma once

#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/hash.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace penstock {

class NatFragments {
public:
    /// Datagrams under way at once.
    static constexpr std::size_t capacity = 4096;
    /// How long a datagram's fragments may take, as in FragmentTracker.
    static constexpr std::uint16_t datagram_s = 30;

    /// `flow`: what names the flow: its place in the table.
    void remember(FlowHash datagram, std::uint32_t flow, CoarseTime now);

    [[nodiscard]] std::optional<std::uint32_t> find(FlowHash datagram, CoarseTime now) const;

private:
    static constexpr std::size_t ways = 4;
    static constexpr std::size_t sets = capacity / ways;

    struct Datagram {
        std::uint32_t digest = 0;
        std::uint32_t flow = 0;
        CoarseTime since;
        bool in_use = false;
    };

    [[nodiscard]] static std::uint16_t age(const Datagram& datagram, CoarseTime now);

    std::array<Datagram, capacity> datagrams_{};
};

} // namespace penstock
