// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/maglev.hpp"

#include <algorithm>
#include <cstddef>
#include <queue>

namespace penstock {
namespace {

// One member's walk through its permutation: offset, offset + skip, … modulo the number of slots.
struct Walk {
    std::uint32_t position;
    std::uint32_t skip;
};

Walk begin_walk(std::uint64_t identity, std::uint32_t size) {
    // The paper takes offset and skip from two hashes; these are two halves of one.
    return {
        .position = static_cast<std::uint32_t>((identity & UINT32_MAX) % size),
        .skip = static_cast<std::uint32_t>(((identity >> 32U) % (size - 1)) + 1),
    };
}

// Takes the walk's next free slot. One is free, or the caller would have stopped.
void take_slot(Walk& walk, std::vector<std::uint16_t>& slots, BackendId id) {
    const auto size = static_cast<std::uint32_t>(slots.size());
    while (slots[walk.position] != null_backend.value) {
        walk.position += walk.skip;
        walk.position -= walk.position >= size ? size : 0;
    }
    slots[walk.position] = id.value;
}

// Equal weights: the order of turns is the order of identities, round after round.
void fill_in_rounds(
    std::span<const MaglevMember> members, std::span<Walk> walks, std::vector<std::uint16_t>& slots
) {
    for (std::size_t taken = 0; taken < slots.size();) {
        for (std::size_t i = 0; i < members.size() && taken < slots.size(); ++i, ++taken) {
            take_slot(walks[i], slots, members[i].id);
        }
    }
}

// Unequal weights: the k-th turn (k = 1, 2, …) of weight w is due at (k - 1/2) / w. The half rounds
// to the nearest: k / w would round every share down and give what is left to the heaviest.
// Compared by cross-multiplying, so that no rounding decides which of two turns comes first.
struct Turn {
    std::uint64_t halves; ///< 2 k - 1
    std::uint64_t weight;
    std::size_t member;

    friend bool operator>(const Turn& a, const Turn& b) {
        const std::uint64_t due_a = a.halves * b.weight;
        const std::uint64_t due_b = b.halves * a.weight;
        return due_a != due_b ? due_a > due_b : a.member > b.member;
    }
};

void fill_by_weight(
    std::span<const MaglevMember> members, std::span<Walk> walks, std::vector<std::uint16_t>& slots
) {
    std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns;
    for (std::size_t i = 0; i < members.size(); ++i) {
        turns.push({.halves = 1, .weight = members[i].weight, .member = i});
    }
    for (std::size_t taken = 0; taken < slots.size(); ++taken) {
        Turn turn = turns.top();
        turns.pop();
        take_slot(walks[turn.member], slots, members[turn.member].id);
        turn.halves += 2;
        turns.push(turn);
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
    table.slots.assign(size, null_backend.value);
    const bool equal_weights = std::ranges::all_of(members, [&](const MaglevMember& member) {
        return member.weight == members.front().weight;
    });
    if (equal_weights) {
        fill_in_rounds(members, walks, table.slots);
    } else {
        fill_by_weight(members, walks, table.slots);
    }
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
