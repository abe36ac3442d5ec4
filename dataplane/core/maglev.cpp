// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/maglev.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

namespace penstock {
namespace {

// One member's walk through its permutation: offset, offset + skip, … modulo the number of slots.
struct Walk {
    static constexpr std::size_t stride = 4; // places that are looked at together

    std::uint32_t position;
    std::array<std::uint32_t, stride> skips; ///< skip, 2 skip, … modulo the number of slots
};

// REQUIRES: both below `size`.
std::uint32_t add_modulo(std::uint32_t a, std::uint32_t b, std::uint32_t size) {
    const std::uint32_t sum = a + b;
    return sum - (sum >= size ? size : 0);
}

Walk begin_walk(std::uint64_t identity, std::uint32_t size) {
    // The paper takes offset and skip from two hashes; these are two halves of one.
    Walk walk{.position = static_cast<std::uint32_t>((identity & UINT32_MAX) % size), .skips = {}};
    const auto skip = static_cast<std::uint32_t>(((identity >> 32U) % (size - 1)) + 1);
    std::uint32_t multiple = 0;
    for (std::uint32_t& entry : walk.skips) {
        entry = multiple = add_modulo(multiple, skip, size);
    }
    return walk;
}

// x modulo a divisor by a multiplication (Lemire, Kaser and Kurz 2019): a division of 64 bits would be
// most of the time that the last slots take. Exact for x < 2^43 and divisors < 2^20: the rounded-up
// reciprocal is then off by less than 2^-21 of a quotient.
class Remainder {
public:
    explicit Remainder(std::uint32_t divisor)
        : divisor_(divisor), inverse_(UINT64_MAX / divisor + 1) {}

    [[nodiscard]] std::uint32_t of(std::uint64_t x) const {
        __extension__ using Wide = unsigned __int128;
        const auto quotient = static_cast<std::uint64_t>((Wide{x} * inverse_) >> 64U);
        return static_cast<std::uint32_t>(x - (quotient * divisor_));
    }

private:
    std::uint64_t divisor_;
    std::uint64_t inverse_;
};

// The inverse of `value` modulo the prime `size`, by the extended Euclidean algorithm.
std::uint32_t invert(std::uint32_t value, std::uint32_t size) {
    std::int64_t remainder = size;
    std::int64_t next_remainder = value;
    std::int64_t factor = 0;
    std::int64_t next_factor = 1;
    while (next_remainder != 0) {
        const std::int64_t quotient = remainder / next_remainder;
        remainder = std::exchange(next_remainder, remainder - (quotient * next_remainder));
        factor = std::exchange(next_factor, factor - (quotient * next_factor));
    }
    return static_cast<std::uint32_t>(factor < 0 ? factor + size : factor);
}

// The table while it is filled.
class Filling {
public:
    explicit Filling(std::uint32_t size)
        : size_(size), modulo_size_(size), slots_(size, null_backend.value) {}

    [[nodiscard]] std::uint32_t room() const { return size_ - count_; }

    // Takes the walk's next free slot. REQUIRES: room() > 0.
    void take_slot(Walk& walk, BackendId id) {
        if (room() <= few) {
            walk.position = find_among_few(walk);
        } else {
            walk.position = find_by_walking(walk);
        }
        slots_[walk.position] = id.value;
        ++count_;
    }

    [[nodiscard]] std::vector<std::uint16_t> take_slots() { return std::move(slots_); }

private:
    // So few free slots are asked how far off each is: walking to the last 320 of 65,537 would be half
    // of all steps. More of them, and the asking would cost more than it spares.
    static constexpr std::uint32_t few = 320;

    // Four places at a time: how long a walk is cannot be predicted, and one wrong guess costs more
    // than looking at three places in vain.
    [[nodiscard]] std::uint32_t find_by_walking(const Walk& walk) const {
        std::uint32_t place = walk.position;
        for (;;) {
            const std::uint32_t second = add_modulo(place, walk.skips[0], size_);
            const std::uint32_t third = add_modulo(place, walk.skips[1], size_);
            const std::uint32_t fourth = add_modulo(place, walk.skips[2], size_);
            const bool first_free = slots_[place] == null_backend.value;
            const bool second_free = slots_[second] == null_backend.value;
            const bool third_free = slots_[third] == null_backend.value;
            const bool fourth_free = slots_[fourth] == null_backend.value;
            if ((static_cast<int>(first_free) | static_cast<int>(second_free) |
                 static_cast<int>(third_free) | static_cast<int>(fourth_free)) != 0) {
                std::uint32_t found = third_free ? third : fourth;
                found = second_free ? second : found;
                return first_free ? place : found;
            }
            place = add_modulo(place, walk.skips[3], size_);
        }
    }

    std::uint32_t find_among_few(const Walk& walk) {
        if (free_.empty()) {
            for (std::uint32_t slot = 0; slot < size_; ++slot) {
                if (slots_[slot] == null_backend.value) {
                    free_.push_back(slot);
                }
            }
        }
        const std::uint64_t inverse = invert(walk.skips.front(), size_);
        std::size_t nearest = 0;
        std::uint32_t least = size_; // in steps of this walk; no two are equally far
        for (std::size_t i = 0; i < free_.size(); ++i) {
            const std::uint64_t ahead = free_[i] + size_ - walk.position;
            const std::uint32_t distance = modulo_size_.of(ahead * inverse);
            nearest = distance < least ? i : nearest;
            least = std::min(least, distance);
        }
        const std::uint32_t slot = free_[nearest];
        free_[nearest] = free_.back();
        free_.pop_back();
        return slot;
    }

    std::uint32_t size_;
    Remainder modulo_size_;
    std::uint32_t count_ = 0;
    std::vector<std::uint16_t> slots_;
    std::vector<std::uint32_t> free_; ///< once they are few
};

// Equal weights: the order of turns is the order of identities, round after round.
void fill_in_rounds(
    std::span<const MaglevMember> members, std::span<Walk> walks, Filling& filling
) {
    while (filling.room() > 0) {
        for (std::size_t i = 0; i < members.size() && filling.room() > 0; ++i) {
            filling.take_slot(walks[i], members[i].id);
        }
    }
}

// Unequal weights: the k-th turn (k = 1, 2, …) of weight w is due at (k - 1/2) / w. The half rounds
// to the nearest: k / w would round every share down and give what is left to the heaviest.
// Compared by cross-multiplying, so that no rounding decides which of two turns comes first.
struct Turn {
    std::uint32_t halves; ///< 2 k - 1
    std::uint32_t member;
};

// At least `count` turns, the first ones, in the order in which they are due.
std::vector<Turn> order_turns(std::span<const MaglevMember> members, std::uint32_t count) {
    std::uint64_t weights = 0;
    for (const MaglevMember& member : members) {
        weights += member.weight;
    }
    // Member i has floor(t w + 1/2) turns until t; so there are `count` or more until this t.
    const double end =
        (count + (static_cast<double>(members.size()) / 2) + 1) / static_cast<double>(weights);
    // Sorted by counting: a bucket for each 1/count of the time, so that hardly two share one.
    // Dividing doubles never puts the later of two turns into an earlier bucket.
    const double buckets_per_half = count / (2 * end);
    std::vector<std::uint32_t> begins(std::size_t{count} + 2);
    const auto for_each_turn = [&](const auto& visit) {
        for (std::uint32_t i = 0; i < members.size(); ++i) {
            const double weight = members[i].weight;
            const auto turns = static_cast<std::uint32_t>(std::lround(end * weight));
            for (std::uint32_t halves = 1; halves < 2 * turns; halves += 2) {
                const auto bucket = static_cast<std::uint32_t>(halves / weight * buckets_per_half);
                visit(std::min(bucket, count), Turn{.halves = halves, .member = i});
            }
        }
    };
    for_each_turn([&](std::uint32_t bucket, Turn) { ++begins[bucket + 1]; });
    std::partial_sum(begins.begin(), begins.end(), begins.begin());
    std::vector<Turn> turns(begins.back());
    std::vector<std::uint32_t> ends = begins;
    for_each_turn([&](std::uint32_t bucket, Turn turn) { turns[ends[bucket]++] = turn; });
    const auto is_earlier = [&](const Turn& a, const Turn& b) {
        const std::uint64_t due_a = std::uint64_t{a.halves} * members[b.member].weight;
        const std::uint64_t due_b = std::uint64_t{b.halves} * members[a.member].weight;
        return due_a != due_b ? due_a < due_b : a.member < b.member;
    };
    for (std::uint32_t bucket = 0; bucket <= count; ++bucket) {
        const std::uint32_t begin = begins[bucket];
        if (const std::uint32_t length = ends[bucket] - begin; length > 1) {
            std::ranges::sort(std::span(turns).subspan(begin, length), is_earlier);
        }
    }
    return turns;
}

void fill_by_weight(
    std::span<const MaglevMember> members, std::span<Walk> walks, Filling& filling
) {
    for (const Turn& turn : order_turns(members, filling.room())) {
        if (filling.room() == 0) {
            return;
        }
        filling.take_slot(walks[turn.member], members[turn.member].id);
    }
}

} // namespace

MaglevTable build_maglev(std::vector<MaglevMember> members, std::uint32_t size) {
    // Ids are local to a node; sorting by identity makes the table the same on every node.
    std::ranges::sort(members, [](const MaglevMember& a, const MaglevMember& b) {
        return a.identity != b.identity ? a.identity < b.identity : a.id < b.id;
    });
    MaglevTable table{.members = members, .slots = {}};
    std::erase_if(members, [](const MaglevMember& member) { return member.weight == 0; });
    if (members.empty()) {
        return table;
    }
    std::vector<Walk> walks;
    walks.reserve(members.size());
    for (const MaglevMember& member : members) {
        walks.push_back(begin_walk(member.identity, size));
    }
    Filling filling(size);
    const bool equal_weights = std::ranges::all_of(members, [&](const MaglevMember& member) {
        return member.weight == members.front().weight;
    });
    if (equal_weights) {
        fill_in_rounds(members, walks, filling);
    } else {
        fill_by_weight(members, walks, filling);
    }
    table.slots = filling.take_slots();
    return table;
}

std::uint64_t hash_identity(std::span<const std::uint8_t> name) {
    // FNV-1a, then the finalizer of SplitMix64, because Maglev wants all 64 bits to vary.
    std::uint64_t value = 0xcbf29ce484222325ULL;
    for (const std::uint8_t byte : name) {
        value = (value ^ byte) * 0x100000001b3ULL;
    }
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31U);
}

} // namespace penstock
