// SPDX-License-Identifier: Apache-2.0
// The short way through the choice of a backend, for what most packets are: one in the middle of a
// TCP connection whose entry stands in its primary bucket.
//
// It does what choose_any_backend() in pipeline.cpp would (follow_plain_test.cpp holds the two equal),
// and nothing to a packet that it does not take.
//
// Thread rule: the worker that owns the table.
#pragma once

#include "dataplane/core/flow.hpp"
#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/core/snapshot.hpp"

namespace penstock {

/// Follows the flow's entry: sets flow.backend and renews the entry. False if it takes another look.
/// REQUIRES: the packet is a member of the flow (FlowRole) and its service has no features.
[[nodiscard, gnu::always_inline]] inline bool
follow_plainly(const FlowTable& flows, const Snapshot& snapshot, CoarseTime now, Flow& flow) {
    constexpr std::uint8_t changing = TcpHeader::syn | TcpHeader::fin | TcpHeader::rst;
    if ((flow.parsed.tcp_flags & changing) != 0) {
        return false;
    }
    FlowTable::Slot* const slot = flows.find_in_primary(flow.hash);
    if (slot == nullptr) {
        return false;
    }
    const std::uint64_t word = slot->load(std::memory_order_relaxed);
    if (!FlowTable::is_established_in_primary(word)) {
        return false;
    }
    const FlowEntry entry = FlowTable::decode(word);
    const BackendEntry& backend = snapshot.backend(entry.backend); // keeps_flows says in_use, too
    if (!backend.keeps_flows || backend.service != flow.service->id) {
        return false;
    }
    flow.backend = entry.backend;
    if (entry.last_seen.ticks != now.ticks) {
        FlowTable::update(*slot, entry.backend, entry.state, now);
    }
    return true;
}

} // namespace penstock
