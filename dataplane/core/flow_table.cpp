// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/flow_table.hpp"

#include <algorithm>
#include <bit>
#include <new>

namespace penstock {
namespace {

constexpr std::size_t bucket_bytes = FlowTable::ways * sizeof(FlowTable::Slot);

} // namespace

std::size_t FlowTable::bytes_for(std::size_t flows) {
    // 60 %: flows / (ways * 0.6), rounded up. Two buckets at least, so that there is an alternate
    // one.
    const std::size_t wanted = (flows * 10 + ways * 6 - 1) / (ways * 6);
    return std::clamp(std::bit_ceil(wanted), std::size_t{2}, max_buckets) * bucket_bytes;
}

FlowTable::FlowTable(std::span<std::byte> memory)
    : slots_(new(memory.data()) Slot[memory.size() / sizeof(Slot)]),
      bucket_count_(memory.size() / bucket_bytes),
      mask_(bucket_count_ - 1) {}

FlowTable::Slot* FlowTable::free_way(std::size_t bucket) const {
    Slot* const line = &slots_[bucket * ways];
    const unsigned empty = match_empty(line);
    return empty != 0 ? &line[std::countr_zero(empty)] : nullptr;
}

FlowTable::Slot* FlowTable::move_one_on(std::size_t bucket) {
    Slot* const line = &slots_[bucket * ways];
    for (std::size_t way = 0; way < ways; ++way) {
        FlowEntry entry = decode(line[way].load(std::memory_order_relaxed));
        if (entry.in_alternate) {
            continue; // back to its primary would be against the order in which readers look
        }
        if (Slot* target = free_way(other_bucket(bucket, entry.digest))) {
            entry.in_alternate = true;
            target->store(encode(entry), std::memory_order_release);
            line[way].store(0, std::memory_order_release);
            return &line[way];
        }
    }
    return nullptr;
}

FlowTable::Slot*
FlowTable::insert(FlowHash hash, BackendId backend, FlowState state, CoarseTime now) {
    const std::size_t primary = primary_bucket(hash);
    FlowEntry entry{.digest = hash.digest(), .backend = backend, .last_seen = now, .state = state};
    Slot* slot = free_way(primary);
    if (slot == nullptr) {
        slot = free_way(other_bucket(primary, hash.digest()));
        entry.in_alternate = slot != nullptr;
    }
    if (slot == nullptr) {
        slot = move_one_on(primary);
    }
    if (slot == nullptr) {
        return nullptr;
    }
    slot->store(encode(entry), std::memory_order_release);
    ++size_;
    return slot;
}

void FlowTable::erase(Slot& slot) {
    slot.store(0, std::memory_order_release);
    --size_;
}

} // namespace penstock
