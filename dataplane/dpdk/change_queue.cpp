// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/change_queue.hpp"

#include <utility>

namespace penstock {
namespace {

/// The state that the change asks for, or null.
const DesiredState* state_of(const Change& change) {
    const auto* const state = std::get_if<std::shared_ptr<const DesiredState>>(&change.body);
    return state == nullptr ? nullptr : state->get();
}

} // namespace

std::shared_ptr<const DesiredState> Batch::desired() const {
    return apply ? std::get<std::shared_ptr<const DesiredState>>(changes.at(*apply).body) : nullptr;
}

void ChangeQueue::push(Change change) {
    waiting_.emplace(next_order_++, std::move(change));
}

Batch ChangeQueue::take() {
    Batch batch;
    std::uint64_t generation = 0;
    for (const auto& [order, change] : waiting_) {
        if (const DesiredState* const state = state_of(change);
            state && state->generation >= generation) {
            batch.apply = order;
            generation = state->generation;
        }
    }
    for (auto it = waiting_.begin(); it != waiting_.end();) {
        const std::uint64_t order = it->first;
        const bool is_after = !batch.apply || order > *batch.apply;
        if (is_after && state_of(it->second) != nullptr) {
            ++it; // an older state that came later: judged when this one is live
            continue;
        }
        if (is_after && std::holds_alternative<UpdateHealth>(it->second.body)) {
            batch.updates.push_back(order);
        }
        batch.changes.insert(waiting_.extract(it++));
    }
    return batch;
}

std::vector<Change> ChangeQueue::take_back(Batch batch) {
    std::vector<Change> blamed;
    if (!batch.apply) {
        for (auto& [order, change] : batch.changes) {
            blamed.push_back(std::move(change));
        }
        return blamed;
    }
    blamed.push_back(std::move(batch.changes.extract(*batch.apply).mapped()));
    waiting_.merge(batch.changes);
    return blamed;
}

} // namespace penstock
