// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/maglev.hpp"

#include "dataplane/core/desired_state.hpp"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <ranges>
#include <string>

namespace penstock {
namespace {

std::uint64_t identity_of(const std::string& name) {
    return hash_identity({reinterpret_cast<const std::uint8_t*>(name.data()), name.size()});
}

// `count` members of one weight, ids from 1 on.
std::vector<MaglevMember> members_of(std::size_t count, std::uint16_t weight = 100) {
    std::vector<MaglevMember> members;
    for (std::size_t i = 0; i < count; ++i) {
        members.push_back({
            .identity = identity_of("member " + std::to_string(i)),
            .weight = weight,
            .id = {static_cast<std::uint16_t>(i + 1)},
        });
    }
    return members;
}

std::map<std::uint16_t, std::size_t> slots_by_id(const MaglevTable& table) {
    std::map<std::uint16_t, std::size_t> counts;
    for (const std::uint16_t id : table.slots) {
        ++counts[id];
    }
    return counts;
}

// The paper's figure 2, told as plainly as can be: whole permutations, and for each slot a search
// through all members for the one whose turn is due first. No queue, no cross-multiplication.
std::vector<std::uint16_t> model(std::vector<MaglevMember> members, std::uint32_t size) {
    std::erase_if(members, [](const MaglevMember& member) { return member.weight == 0; });
    std::ranges::sort(members, {}, &MaglevMember::identity);
    std::vector<std::vector<std::uint32_t>> permutations;
    for (const MaglevMember& member : members) {
        const std::uint64_t offset = (member.identity & 0xffffffffU) % size;
        const std::uint64_t skip = ((member.identity >> 32U) % (size - 1)) + 1;
        std::vector<std::uint32_t> permutation;
        for (std::uint64_t j = 0; j < size; ++j) {
            permutation.push_back(static_cast<std::uint32_t>((offset + (j * skip)) % size));
        }
        permutations.push_back(std::move(permutation));
    }
    std::vector<std::size_t> next(members.size());
    std::vector<double> turns(members.size(), 0.5);
    std::vector<std::uint16_t> slots(size);
    for (std::uint32_t taken = 0; taken < size; ++taken) {
        std::size_t first = 0;
        for (std::size_t i = 1; i < members.size(); ++i) {
            if (turns[i] / members[i].weight < turns[first] / members[first].weight) {
                first = i;
            }
        }
        turns[first] += 1;
        while (slots[permutations[first][next[first]]] != 0) {
            ++next[first];
        }
        slots[permutations[first][next[first]]] = members[first].id.value;
    }
    return slots;
}

TEST(Maglev, EqualsTheModelWithEqualWeights) {
    for (const std::size_t count : {1U, 2U, 7U, 40U}) {
        const auto members = members_of(count);
        EXPECT_EQ(build_maglev(members, 1009).slots, model(members, 1009)) << count;
    }
    const auto members = members_of(5);
    EXPECT_EQ(build_maglev(members, 16381).slots, model(members, 16381));
}

TEST(Maglev, EqualsTheModelWithAnyWeights) {
    std::mt19937 random(1);
    for (int round = 0; round < 30; ++round) {
        auto members = members_of(1 + (random() % 20));
        for (MaglevMember& member : members) {
            // Powers of two: the model divides, and these quotients are exact.
            member.weight = static_cast<std::uint16_t>((1U << (random() % 8)) & ~1U);
        }
        if (std::ranges::all_of(members, [](const auto& member) { return member.weight == 0; })) {
            continue;
        }
        EXPECT_EQ(build_maglev(members, 1009).slots, model(members, 1009)) << round;
    }
}

TEST(Maglev, EveryOfferedSizeIsPrime) {
    for (const std::uint32_t size : maglev_sizes) {
        for (std::uint32_t divisor = 2; divisor * divisor <= size; ++divisor) {
            ASSERT_NE(size % divisor, 0U) << size << " / " << divisor;
        }
    }
}

TEST(Maglev, EqualWeightsDifferByOneSlotAtMost) {
    for (const std::uint32_t size : maglev_sizes) {
        const auto counts = slots_by_id(build_maglev(members_of(100), size));
        ASSERT_EQ(counts.size(), 100U);
        const auto [least, most] = std::ranges::minmax(counts | std::views::values);
        EXPECT_LE(most - least, 1U) << size;
        EXPECT_LE(static_cast<double>(most) * 100 / size, 1.01)
            << size; // the paper's max / average
    }
}

TEST(Maglev, WeightTenGetsTenTimesTheSlotsOfOne) {
    auto members = members_of(2, 1);
    members[0].weight = 10;
    for (const std::uint32_t size : maglev_sizes) {
        auto counts = slots_by_id(build_maglev(members, size));
        EXPECT_NEAR(static_cast<double>(counts[1]), size * 10.0 / 11, 1) << size;
        EXPECT_NEAR(static_cast<double>(counts[2]), size * 1.0 / 11, 1) << size;
    }
}

// Every share is within one thousandth of its weight's, or one slot where that is more.
TEST(Maglev, SharesFollowWeights) {
    std::mt19937 random(2);
    for (int round = 0; round < 12; ++round) {
        auto members = members_of(2 + (random() % 99));
        double total = 0;
        for (MaglevMember& member : members) {
            member.weight =
                static_cast<std::uint16_t>(1 + (random() % (round % 2 == 0 ? 100 : 65535)));
            total += member.weight;
        }
        auto counts = slots_by_id(build_maglev(members, default_maglev_size));
        for (const MaglevMember& member : members) {
            const double expected = default_maglev_size * member.weight / total;
            const double bound = std::max(1.0, expected / 1000);
            EXPECT_NEAR(static_cast<double>(counts[member.id.value]), expected, bound)
                << "weight " << member.weight << " of " << total << ", " << members.size();
        }
    }
}

// One heavy member beside many light ones: rounding must not give the light ones' slots to it.
TEST(Maglev, LightMembersAreNotStarvedByAHeavyOne) {
    auto members = members_of(100, 1);
    members[0].weight = 65535; // nearly all slots are taken before time 1
    auto counts = slots_by_id(build_maglev(members, default_maglev_size));
    for (std::uint16_t id = 2; id <= 100; ++id) {
        EXPECT_EQ(counts[id], 1U) << id;
    }
    EXPECT_EQ(counts[1], default_maglev_size - 99);
}

TEST(Maglev, ZeroWeightTakesNoSlot) {
    auto members = members_of(3);
    members[1].weight = 0;
    const auto counts = slots_by_id(build_maglev(members, 16381));
    EXPECT_EQ(counts.size(), 2U);
    EXPECT_FALSE(counts.contains(2));
    EXPECT_TRUE(build_maglev({}, 16381).slots.empty());
    EXPECT_TRUE(build_maglev(members_of(4, 0), 16381).slots.empty());
}

TEST(Maglev, OneMemberTakesAll) {
    for (const std::uint16_t weight : {std::uint16_t{1}, std::uint16_t{65535}}) {
        const auto counts = slots_by_id(build_maglev(members_of(1, weight), 65537));
        EXPECT_EQ(counts, (std::map<std::uint16_t, std::size_t>{{1, 65537}}));
    }
}

TEST(Maglev, OrderDoesNotMatter) {
    auto members = members_of(50);
    for (std::size_t i = 0; i < members.size(); ++i) {
        members[i].weight = static_cast<std::uint16_t>(1 + (i * 37 % 11));
    }
    const MaglevTable table = build_maglev(members, 16381);
    std::mt19937 random(3);
    for (int round = 0; round < 5; ++round) {
        std::ranges::shuffle(members, random);
        const MaglevTable shuffled = build_maglev(members, 16381);
        EXPECT_EQ(shuffled.slots, table.slots);
        EXPECT_EQ(shuffled.members, table.members);
    }
}

// Two nodes give out other ids; the servers that the slots mean are the same.
TEST(Maglev, LocalIdsDoNotMatter) {
    const auto here = members_of(50);
    auto there = here;
    for (MaglevMember& member : there) {
        member.id.value = static_cast<std::uint16_t>(9000 - member.id.value);
    }
    const MaglevTable a = build_maglev(here, 65537);
    const MaglevTable b = build_maglev(there, 65537);
    for (std::size_t slot = 0; slot < a.slots.size(); ++slot) {
        ASSERT_EQ(a.slots[slot], 9000 - b.slots[slot]) << slot;
    }
}

TEST(Maglev, OnlyRatiosOfWeightsMatter) {
    auto light = members_of(10);
    auto heavy = light;
    for (std::size_t i = 0; i < light.size(); ++i) {
        light[i].weight = static_cast<std::uint16_t>(i + 1);
        heavy[i].weight = static_cast<std::uint16_t>(100 * (i + 1));
    }
    EXPECT_EQ(build_maglev(light, 16381).slots, build_maglev(heavy, 16381).slots);
}

// Of the slots whose member stays, few change hands when one member leaves or comes.
TEST(Maglev, FewSlotsMoveWhenOneMemberLeaves) {
    const auto all = members_of(100);
    const MaglevTable before = build_maglev(all, 65537);
    double worst = 0;
    for (std::size_t gone = 0; gone < all.size(); gone += 9) {
        auto rest = all;
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(gone));
        const MaglevTable after = build_maglev(rest, 65537);
        std::size_t surviving = 0;
        std::size_t moved = 0;
        for (std::size_t slot = 0; slot < before.slots.size(); ++slot) {
            if (before.slots[slot] != all[gone].id.value) {
                ++surviving;
                moved += before.slots[slot] == after.slots[slot] ? 0U : 1U;
            }
        }
        worst = std::max(worst, static_cast<double>(moved) / static_cast<double>(surviving));
    }
    RecordProperty("moved_percent", std::to_string(worst * 100));
    EXPECT_LE(worst, 0.006);
    EXPECT_GT(worst, 0); // Maglev is not perfectly consistent: 0 would mean nothing was compared
}

TEST(HashIdentity, ValuesAreStable) {
    EXPECT_EQ(identity_of(""), 17665956581633026203ULL);
    EXPECT_EQ(identity_of("penstock"), 16413859983437602028ULL);
    EXPECT_NE(identity_of("a"), identity_of("b"));
}

} // namespace
} // namespace penstock
