// SPDX-License-Identifier: Apache-2.0
// The neighbours of neighbour.hpp: entries of the kernel that destinations need, kept managed.
#include "dataplane/dpdk/neighbour.hpp"

#include <cerrno>
#include <chrono>
#include <spdlog/spdlog.h>
#include <system_error>

namespace penstock {
namespace {

constexpr std::size_t retries_a_turn = 128; // well below 1 ms
constexpr std::chrono::milliseconds hop_retry_delay{5000};

} // namespace

void Neighbours::attach(Destination& destination, const HopKey& key) {
    if (destination.hop && *destination.hop != key) {
        detach(destination);
    }
    Hop& hop = hops_[key];
    destination.hop = key;
    hop.destinations.insert(&destination);
    if (!hop.is_managed) {
        manage(key, hop);
    }
}

void Neighbours::detach(Destination& destination) {
    if (!destination.hop) {
        return;
    }
    const auto found = hops_.find(*destination.hop);
    destination.hop.reset();
    Hop& hop = found->second;
    hop.destinations.erase(&destination);
    if (hop.destinations.empty() && hop.is_ours) {
        (void)requests_->remove_neighbour(found->first.first, found->first.second);
        hops_.erase(found);
    }
}

void Neighbours::manage(const HopKey& key, Hop& hop) {
    const std::uint32_t sequence = requests_->add_managed_neighbour(key.first, key.second);
    hop.problem = HopProblem::pending;
    if (sequence == 0) {
        hop.problem = HopProblem::not_allowed; // retry_failed() tries again
        return;
    }
    hop.is_managed = true;
    hop.is_ours = true;
    asked_hops_.emplace(sequence, key);
}

void Neighbours::lose(const HopKey& key, Hop& hop) {
    hop.mac.reset();
    hop.is_seen = true;
    hop.is_managed = false;
    hop.is_ours = false;
    if (!hop.destinations.empty()) {
        manage(key, hop); // somebody flushed it, or the link went down and up
        update(hop);
    }
}

void Neighbours::take(const NeighbourEvent& event) {
    if (!ports_.contains(event.ifindex)) {
        return;
    }
    const HopKey key{event.ifindex, event.address};
    if (neighbour_dump_ != 0) {
        heard_hops_.insert(key);
    }
    if (!event.is_removed) {
        set_hop(event);
    } else if (const auto found = hops_.find(key); found != hops_.end()) {
        lose(key, found->second);
        if (found->second.destinations.empty()) {
            hops_.erase(found);
        }
    }
}

void Neighbours::take_line(const NeighbourEvent& line) {
    const bool is_wanted = neighbour_dump_ != 0 && ports_.contains(line.ifindex);
    if (is_wanted && !heard_hops_.contains({line.ifindex, line.address})) {
        set_hop(line);
    }
}

void Neighbours::set_hop(const NeighbourEvent& event) {
    const HopKey key{event.ifindex, event.address};
    Hop& hop = hops_[key];
    hop.is_seen = true;
    hop.is_managed = event.is_managed || event.is_permanent;
    hop.is_ours = event.is_ours;
    // One that is being asked again keeps its MAC until it answers, fails or is removed.
    if (event.mac || event.is_failed) {
        hop.mac = event.mac;
    }
    hop.problem = event.is_failed ? HopProblem::unanswered : HopProblem::pending;
    if (!hop.destinations.empty()) {
        if (!hop.is_managed) {
            manage(key, hop);
        }
        update(hop);
    }
}

void Neighbours::take(const RequestEnd& end) {
    if (end.sequence == neighbour_dump_ || end.sequence == address_dump_) {
        end_dump(end.error);
        return;
    }
    if (const auto destination = routes_.take(end.sequence)) {
        const auto found = destinations_.find(*destination);
        if (found != destinations_.end() && end.error != 0) {
            detach(found->second);
            found->second.fixed.reset();
            found->second.problem = HopProblem::no_route;
            update(found->second);
        }
        return;
    }
    const auto asked = asked_hops_.find(end.sequence);
    if (asked == asked_hops_.end()) {
        return; // of a removal: gone is gone
    }
    const auto found = hops_.find(asked->second);
    asked_hops_.erase(asked);
    if (found != hops_.end() && end.error != 0) {
        Hop& hop = found->second;
        hop.is_managed = false;
        hop.is_ours = false;
        hop.problem = end.error == ENOBUFS ? HopProblem::table_full : HopProblem::not_allowed;
        spdlog::warn(
            "neighbour {}: the kernel cannot add it: {}",
            found->first.second.to_string(),
            std::generic_category().message(end.error)
        );
        update(hop);
    }
}

void Neighbours::retry_failed() {
    std::size_t asked = 0;
    for (auto& [key, hop] : hops_) {
        const bool has_failed =
            hop.problem == HopProblem::table_full || hop.problem == HopProblem::not_allowed;
        if (has_failed && !hop.destinations.empty() && !hop.is_managed && asked < retries_a_turn) {
            manage(key, hop);
            ++asked;
        }
    }
    try_dump(true); // ends one whose end was lost
    retry_timer_ = loop_.call_after(hop_retry_delay, [this] { retry_failed(); });
}

} // namespace penstock
