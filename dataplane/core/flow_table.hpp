// SPDX-License-Identifier: Apache-2.0
// Which backend a flow was given: the table that keeps connections where they are while pools change.
//
// An entry is one 64-bit word; a bucket is one cache line of eight; a flow has two candidate buckets.
//
//   63            32 31        16 15          4 3    1  0
//   [ digest        | backend    | last seen   | state | alt ]
//   The word 0 is an empty way: state is never 0.
//
//   primary bucket   = low bits of the flow hash
//   digest           = high 32 bits of the flow hash
//   alternate bucket = primary XOR mix(digest)            (symmetric: either leads to the other)
//   alt              = 1 if the entry stands in its alternate bucket, so the hash can be rebuilt
//
// An insert takes a free way of the primary bucket, then of the alternate one, then moves one entry
// that stands in its primary bucket here on to its alternate one. Only if that fails is the flow
// unplaced: nothing is ever evicted, the caller counts it and forwards by hash. At 60 % load fewer
// than one in a million is unplaced (flow_table_test.cpp measures it).
//
// Worked example, 4 buckets: hash 0x…02 → primary 2. Bucket 2 is full, mix(digest) is 3 → alternate
// 1 has room: the entry goes there with alt = 1. A find looks into 2, does not match, looks into 1,
// matches.
//
// Thread rule: one writer, the worker that owns the table. Any thread may find() and never misses
// an entry that is being moved: entries move from their primary to their alternate bucket only,
// which is the order in which find() looks, and are written there before they leave
// (docs/design/flow-table.md). Memory comes from outside (hugepages) and is never grown.
#pragma once

#include "dataplane/core/hash.hpp"
#include "dataplane/core/identity.hpp"

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace penstock {

/// Coarse time: ticks of two seconds, 12 bits, wrapping after 8,192 s.
struct CoarseTime {
    std::uint16_t ticks = 0;

    static constexpr unsigned seconds_per_tick = 2;
    static constexpr std::uint16_t mask = 0xfff;

    [[nodiscard]] static constexpr CoarseTime from_seconds(std::uint64_t seconds) {
        return {static_cast<std::uint16_t>((seconds / seconds_per_tick) & mask)};
    }

    /// Ticks from `earlier` to this, modulo the wrap.
    [[nodiscard]] constexpr std::uint16_t since(CoarseTime earlier) const {
        return static_cast<std::uint16_t>((ticks - earlier.ticks) & mask);
    }
};

/// RFC 5382 REQ-5 asks 2 h 4 min of an established flow; the wrap leaves room for it and a slow
/// sweep.
inline constexpr std::uint16_t max_flow_timeout_s = 7440;

enum class FlowState : std::uint8_t {
    tcp_syn = 1, ///< only SYNs seen
    tcp_established,
    tcp_closing, ///< a FIN or RST seen
    udp,
};

inline constexpr std::size_t flow_state_count = 5; ///< with the unused 0

/// A decoded entry.
struct FlowEntry {
    std::uint32_t digest = 0;
    BackendId backend = null_backend;
    CoarseTime last_seen;
    FlowState state = FlowState::tcp_syn;
    bool in_alternate = false;
};

class FlowTable {
public:
    /// One entry in place. Only the owner stores to it.
    using Slot = std::atomic<std::uint64_t>;

    static constexpr std::size_t ways = 8;
    static constexpr std::size_t max_buckets = std::size_t{1} << 24U;
    /// The most that bytes_for() can give room for at 60 % load.
    static constexpr std::size_t max_flows = max_buckets * ways * 6 / 10;

    /// Bytes for a table that holds `flows` entries at 60 % load or less: a power of two of
    /// buckets.
    [[nodiscard]] static std::size_t bytes_for(std::size_t flows);

    /// REQUIRES: memory is aligned to 64, zeroed, outlives the table and is bytes_for(…) long.
    explicit FlowTable(std::span<std::byte> memory);

    FlowTable(const FlowTable&) = delete;
    FlowTable& operator=(const FlowTable&) = delete;

    [[nodiscard]] std::size_t capacity() const { return bucket_count_ * ways; }

    [[nodiscard]] std::size_t bucket_count() const { return bucket_count_; }

    /// Owner only: entries now.
    [[nodiscard]] std::size_t size() const { return size_; }

    /// Brings the primary bucket's line near; worth 4 to 8 times over a burst
    /// (docs/performance.md).
    void prefetch(FlowHash hash) const { __builtin_prefetch(&slots_[primary_bucket(hash) * ways]); }

    /// The same for the alternate bucket, of a packet that will hardly be found in the primary one.
    void prefetch_alternate(FlowHash hash) const {
        __builtin_prefetch(&slots_[other_bucket(primary_bucket(hash), hash.digest()) * ways]);
    }

    /// The first entry with this hash whose backend `accept(BackendId)` takes, or nullptr. A digest
    /// collision is told apart by `accept` alone, which therefore checks the backend's service. A
    /// thread that is not the owner keeps what `accept` was given: by the time it has the slot,
    /// that may hold another flow.
    template <typename Accept>
    [[nodiscard]] Slot* find(FlowHash hash, Accept&& accept) const;

    /// Owner only: the first way with this digest in the primary bucket, where nearly all entries
    /// are, or nullptr. It may be an empty one, or another flow's: the caller looks at the state, at
    /// in_alternate and at the backend.
    [[nodiscard]] Slot* find_in_primary(FlowHash hash) const;

    /// Owner only. Makes an entry; returns nullptr if there is no room (see above).
    /// REQUIRES: find() with the same hash found nothing the caller would use.
    Slot* insert(FlowHash hash, BackendId backend, FlowState state, CoarseTime now);

    // Every store to a slot is a release, so that whoever reads a later word in a place that an
    // entry has left sees the entry in its new place. On x86 that costs nothing.

    /// Owner only. Stores only if something changed, so that a busy flow does not dirty its line.
    static void update(Slot& slot, BackendId backend, FlowState state, CoarseTime now) {
        const std::uint64_t word = slot.load(std::memory_order_relaxed);
        const std::uint64_t changed = (word & kept_bits) | encode_changing(backend, state, now);
        if (changed != word) {
            slot.store(changed, std::memory_order_release);
        }
    }

    /// Owner only.
    void erase(Slot& slot);

    /// Owner only. Erases those entries of the next `buckets` buckets for which
    /// `expired(FlowEntry)` holds; continues where the last call stopped and wraps around. Returns
    /// how many were erased.
    template <typename Expired>
    std::size_t sweep(std::size_t buckets, Expired&& expired);

    [[nodiscard]] static FlowEntry decode(std::uint64_t word);

    /// decode() gives an established TCP flow in its primary bucket: asked of most packets, at once.
    [[nodiscard]] static bool is_established_in_primary(std::uint64_t word) {
        constexpr std::uint64_t mask = (std::uint64_t{7} << state_shift) | 1U;
        return (word & mask) == static_cast<std::uint64_t>(FlowState::tcp_established)
                                    << state_shift;
    }

    [[nodiscard]] static FlowEntry read(const Slot& slot) {
        return decode(slot.load(std::memory_order_relaxed));
    }

private:
    static constexpr unsigned backend_shift = 16;
    static constexpr unsigned time_shift = 4;
    static constexpr unsigned state_shift = 1;

    [[nodiscard]] std::size_t primary_bucket(FlowHash hash) const { return hash.value & mask_; }

    [[nodiscard]] std::size_t other_bucket(std::size_t bucket, std::uint32_t digest) const {
        // Odd, so that the two buckets differ whenever there are two.
        return (bucket ^ ((digest * 0x9e3779b1U) | 1U)) & mask_;
    }

    // What stays while an entry lives in its place: the digest and which bucket it stands in.
    static constexpr std::uint64_t kept_bits = 0xffffffff'00000001ULL;

    [[nodiscard]] static std::uint64_t
    encode_changing(BackendId backend, FlowState state, CoarseTime last_seen) {
        return (std::uint64_t{backend.value} << backend_shift) |
               (std::uint64_t{last_seen.ticks} << time_shift) |
               (static_cast<std::uint64_t>(state) << state_shift);
    }

    [[nodiscard]] static std::uint64_t encode(const FlowEntry& entry) {
        return (std::uint64_t{entry.digest} << 32U) |
               encode_changing(entry.backend, entry.state, entry.last_seen) |
               static_cast<std::uint64_t>(entry.in_alternate);
    }

    Slot* free_way(std::size_t bucket) const;
    Slot* move_one_on(std::size_t bucket);

    template <typename Accept>
    Slot* find_in(std::size_t bucket, std::uint32_t digest, bool alternate, Accept&& accept) const;

    Slot* slots_ = nullptr;
    std::size_t bucket_count_ = 0;
    std::size_t mask_ = 0;
    std::size_t size_ = 0;         // owner only
    std::size_t sweep_bucket_ = 0; // owner only
};

static_assert(sizeof(FlowTable::Slot) == 8 && FlowTable::ways * sizeof(FlowTable::Slot) == 64);

/// The ways of a bucket whose digest is `digest`, one bit each. Portable twin of match_digest().
[[nodiscard]] inline unsigned
match_digest_portable(const FlowTable::Slot* line, std::uint32_t digest) {
    unsigned matches = 0;
    for (unsigned way = 0; way < FlowTable::ways; ++way) {
        const std::uint64_t word = line[way].load(std::memory_order_acquire);
        matches |= static_cast<unsigned>((word >> 32U) == digest) << way;
    }
    return matches;
}

/// The same, two vectors at a time: 13 instructions for eight ways. Each aligned word of a vector
/// load is read whole on every x86-64-v3 CPU; ThreadSanitizer, which cannot know that, gets the
/// twin.
[[nodiscard]] inline unsigned match_digest(const FlowTable::Slot* line, std::uint32_t digest) {
#if defined(__AVX2__) && !defined(__SANITIZE_THREAD__)
    const auto* const vectors = reinterpret_cast<const __m256i*>(line);
    const __m256i wanted = _mm256_set1_epi32(static_cast<int>(digest));
    const auto match = [&](const __m256i* words) {
        // The sign of each 64-bit lane is that of its high half, the digest's comparison.
        const __m256i equal = _mm256_cmpeq_epi32(_mm256_load_si256(words), wanted);
        return static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(equal)));
    };
    return match(vectors) | (match(vectors + 1) << 4U);
#else
    return match_digest_portable(line, digest);
#endif
}

/// The empty ways of a bucket, one bit each. Owner only.
[[nodiscard]] inline unsigned match_empty(const FlowTable::Slot* line) {
#if defined(__AVX2__) && !defined(__SANITIZE_THREAD__)
    const auto* const vectors = reinterpret_cast<const __m256i*>(line);
    const auto match = [](const __m256i* words) {
        const __m256i empty = _mm256_cmpeq_epi64(_mm256_load_si256(words), _mm256_setzero_si256());
        return static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(empty)));
    };
    return match(vectors) | (match(vectors + 1) << 4U);
#else
    unsigned matches = 0;
    for (unsigned way = 0; way < FlowTable::ways; ++way) {
        const bool empty = line[way].load(std::memory_order_relaxed) == 0;
        matches |= static_cast<unsigned>(empty) << way;
    }
    return matches;
#endif
}

inline FlowEntry FlowTable::decode(std::uint64_t word) {
    return {
        .digest = static_cast<std::uint32_t>(word >> 32U),
        .backend = {static_cast<std::uint16_t>(word >> backend_shift)},
        .last_seen = {static_cast<std::uint16_t>((word >> time_shift) & CoarseTime::mask)},
        .state = static_cast<FlowState>((word >> state_shift) & 7U),
        .in_alternate = (word & 1U) != 0,
    };
}

inline FlowTable::Slot* FlowTable::find_in_primary(FlowHash hash) const {
    Slot* const line = &slots_[primary_bucket(hash) * ways];
    const unsigned candidates = match_digest(line, hash.digest());
    return candidates != 0 ? &line[std::countr_zero(candidates)] : nullptr;
}

template <typename Accept>
FlowTable::Slot* FlowTable::find_in(
    std::size_t bucket, std::uint32_t digest, bool alternate, Accept&& accept
) const {
    Slot* const line = &slots_[bucket * ways];
    unsigned candidates = match_digest(line, digest);
    // The next bucket's line must be read after this one's: entries move that way. The CPU keeps
    // the order; this keeps the compiler to it.
    std::atomic_signal_fence(std::memory_order_acquire);
    for (; candidates != 0; candidates &= candidates - 1) {
        Slot* const slot = &line[std::countr_zero(candidates)];
        const std::uint64_t word = slot->load(std::memory_order_acquire);
        // Read again: another thread's word may have changed since. An entry of the other kind with
        // the same digest belongs to another hash, whose primary bucket is not ours; an empty way
        // has state 0 and must not match a digest of 0.
        const bool same = (word >> 32U) == digest && word != 0;
        if (same && (word & 1U) == static_cast<std::uint64_t>(alternate) &&
            accept(decode(word).backend)) {
            return slot;
        }
    }
    return nullptr;
}

template <typename Accept>
FlowTable::Slot* FlowTable::find(FlowHash hash, Accept&& accept) const {
    const std::size_t bucket = primary_bucket(hash);
    if (Slot* slot = find_in(bucket, hash.digest(), false, accept)) {
        return slot;
    }
    return find_in(other_bucket(bucket, hash.digest()), hash.digest(), true, accept);
}

template <typename Expired>
std::size_t FlowTable::sweep(std::size_t buckets, Expired&& expired) {
    std::size_t erased = 0;
    for (std::size_t i = 0; i < buckets && i < bucket_count_; ++i) {
        Slot* const line = &slots_[sweep_bucket_ * ways];
        for (std::size_t way = 0; way < ways; ++way) {
            const std::uint64_t word = line[way].load(std::memory_order_relaxed);
            if (word != 0 && expired(decode(word))) {
                erase(line[way]);
                ++erased;
            }
        }
        sweep_bucket_ = (sweep_bucket_ + 1) & mask_;
    }
    return erased;
}

} // namespace penstock
