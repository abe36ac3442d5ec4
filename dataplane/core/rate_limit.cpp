// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/rate_limit.hpp"

#include <algorithm>
#include <bit>
#include <new>

namespace penstock {

std::size_t SourceLimiter::bytes_for(std::size_t sources) {
    const std::size_t wanted = (sources + ways - 1) / ways;
    return std::clamp(std::bit_ceil(wanted), std::size_t{1}, max_sets) * ways * sizeof(Entry);
}

SourceLimiter::SourceLimiter(std::span<std::byte> memory)
    : entries_(new(memory.data()) Entry[memory.size() / sizeof(Entry)]),
      mask_((memory.size() / sizeof(Entry) / ways) - 1) {}

// In thousandths of the rate, so that buckets of different rates compare.
std::uint64_t SourceLimiter::tokens_used(const Entry& entry, std::uint32_t now_ms) {
    if (entry.rate == 0) {
        return 0;
    }
    const std::uint64_t gained = std::uint64_t{now_ms - entry.bucket.last_ms} * entry.rate;
    const std::uint64_t used = entry.bucket.used_milli;
    return gained >= used ? 1 : 1 + ((used - gained) / entry.rate);
}

bool SourceLimiter::take(FlowHash key, std::uint32_t rate, std::uint64_t now_ms) {
    Entry* const set = entries_ + ((key.value & mask_) * ways);
    const auto now = static_cast<std::uint32_t>(now_ms);
    Entry* best = nullptr;
    std::uint64_t least = UINT64_MAX;
    for (std::size_t way = 0; way < ways; ++way) {
        Entry& entry = set[way];
        if (entry.rate != 0 && entry.digest == key.digest()) {
            entry.rate = rate;
            return entry.bucket.take(rate, now_ms);
        }
        if (const std::uint64_t used = tokens_used(entry, now); used < least) {
            least = used;
            best = &entry;
        }
    }
    // Used up entirely is worth keeping; a bucket that has filled up again is as good as empty.
    displaced_ += least > 1 ? 1U : 0U;
    *best = {.digest = key.digest(), .rate = rate, .bucket = {.last_ms = now}};
    return best->bucket.take(rate, now_ms);
}

} // namespace penstock
