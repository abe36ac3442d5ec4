// SPDX-License-Identifier: Apache-2.0
// When a worker stops making flow entries for SYNs to a service, so that a SYN flood finds nothing
// to fill: packets of unknown flows then go by their hash alone, which is where an entry would have
// sent them. Entries that exist are untouched, and nothing is ever evicted.
//
// Two things decide, for each service of each worker:
//
//   new flows of the service in one window:  ≥ enter_syns → flood,  < leave_syns → calm again
//   entries in the worker's whole table:     ≥ 7/8 of its places → flood in every service that opens
//                                            flows,  < 13/16 → calm again: what is left is for
//                                            connections that have proved real
//
// The distance between the two bounds is the hysteresis: a rate that hovers at one of them does not
// switch the mode at every window. A flood is entered at once, in the middle of a window, and left
// only when a whole window was calm.
//
// What an operator gives up during a flood: connections that are new then are not remembered, so a
// change of the pool during their life can move those of them (0.6 % for one of 100 backends) that
// hash elsewhere. The first packet of such a connection that is no SYN makes its entry, also in
// flood mode: a client that answered the SYN-ACK is real.
//
// Thread rule: a worker's alone. Pure: time comes from outside, in ticks of CoarseTime.
#pragma once

#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/identity.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace penstock {

class FloodGuard {
public:
    /// New flows of one service on one worker in one window of CoarseTime (2 s): 100,000 a second
    /// is more than any real service of one core opens (its NAT'd clients included), and a third of
    /// a core's time.
    static constexpr std::uint32_t enter_syns = 200'000;
    static constexpr std::uint32_t leave_syns = enter_syns / 2;

    /// True if the SYN of an unknown flow may make an entry. Counts it. `entries` of at most
    /// `capacity` are in the table now.
    [[nodiscard]] bool
    admit_syn(ServiceId service, CoarseTime now, std::size_t entries, std::size_t capacity) {
        State& state = states_[service.value];
        if (state.window != now.ticks) [[unlikely]] {
            begin_window(state, now);
        }
        ++state.syns;
        if (state.syns >= enter_syns) [[unlikely]] {
            state.is_flooded = true;
        }
        is_full_ = is_above(entries, capacity, is_full_ ? leave_full : enter_full);
        return !state.is_flooded && !is_full_;
    }

    /// For the counters of flood mode: as of the last SYN of that service.
    [[nodiscard]] bool is_flooded(ServiceId service) const {
        return states_[service.value].is_flooded || is_full_;
    }

private:
    struct State {
        std::uint32_t syns = 0;   ///< in this window
        std::uint16_t window = 0; ///< its tick
        bool is_flooded = false;
    };

    // Sixteenths of the table's places. Nearly every insert finds room up to there.
    static constexpr std::size_t enter_full = 14;
    static constexpr std::size_t leave_full = 13;

    [[nodiscard]] static bool
    is_above(std::size_t entries, std::size_t capacity, std::size_t sixteenths) {
        return entries * 16 >= capacity * sixteenths;
    }

    static void begin_window(State& state, CoarseTime now) {
        // A window that nobody opened a flow in was calm.
        const bool was_calm = state.syns < leave_syns || now.since({state.window}) > 1;
        state.is_flooded = state.is_flooded && !was_calm;
        state.syns = 0;
        state.window = now.ticks;
    }

    std::array<State, max_services> states_{};
    bool is_full_ = false;
};

} // namespace penstock
