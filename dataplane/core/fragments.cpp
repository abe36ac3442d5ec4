// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/fragments.hpp"

namespace penstock {
namespace {

// Fragments have no life of their own to tell apart.
constexpr FlowState any_state = FlowState::udp;

constexpr auto accept_all = [](BackendId) { return true; };

} // namespace

void FragmentTracker::remember(FlowHash datagram, BackendId backend, CoarseTime now) {
    if (FlowTable::Slot* const slot = datagrams_.find(datagram, accept_all)) {
        FlowTable::update(*slot, backend, any_state, now);
    } else {
        // Without room the later fragments are dropped by name.
        static_cast<void>(datagrams_.insert(datagram, backend, any_state, now));
    }
    if (held_count_ == 0) {
        return;
    }
    for (Held& held : held_) {
        held.is_ready = held.is_ready || (held.in_use && held.datagram == datagram);
    }
}

BackendId FragmentTracker::find(FlowHash datagram) const {
    BackendId found = null_backend;
    // What `accept` was given is kept: another worker's slot may hold something else by now.
    const FlowTable::Slot* const slot = datagrams_.find(datagram, [&](BackendId backend) {
        found = backend;
        return true;
    });
    return slot == nullptr ? null_backend : found;
}

std::optional<HeldSlot> FragmentTracker::hold(FlowHash datagram, CoarseTime now) {
    for (std::size_t i = 0; i < held_.size(); ++i) {
        if (!held_[i].in_use) {
            held_[i] = {.datagram = datagram, .since = now, .in_use = true};
            ++held_count_;
            return HeldSlot{static_cast<std::uint8_t>(i)};
        }
    }
    return std::nullopt;
}

std::optional<HeldSlot> FragmentTracker::take_ready(CoarseTime now) {
    if (held_count_ == 0) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < held_.size(); ++i) {
        Held& held = held_[i];
        // A tick may be nearly over when the wait begins, hence more than, not at least.
        const bool expired = now.since(held.since) > hold_s / CoarseTime::seconds_per_tick;
        if (held.in_use && (held.is_ready || expired)) {
            held = {};
            --held_count_;
            return HeldSlot{static_cast<std::uint8_t>(i)};
        }
    }
    return std::nullopt;
}

void FragmentTracker::expire(CoarseTime now, std::size_t buckets) {
    datagrams_.sweep(buckets, [&](const FlowEntry& entry) {
        return now.since(entry.last_seen) > datagram_s / CoarseTime::seconds_per_tick;
    });
}

void FragmentTracker::forget() {
    if (datagrams_.size() != 0) {
        datagrams_.sweep(datagrams_.bucket_count(), [](const FlowEntry&) { return true; });
    }
    held_ = {};
    held_count_ = 0;
}

} // namespace penstock
