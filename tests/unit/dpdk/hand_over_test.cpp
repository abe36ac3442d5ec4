// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/hand_over.hpp"

#include <array>
#include <gtest/gtest.h>
#include <rte_mbuf.h>
#include <vector>

namespace penstock {
namespace {

class HandOverTest : public testing::Test {
protected:
    HandOver rings{3};
    std::vector<rte_mbuf> packets = std::vector<rte_mbuf>(HandOver::ring_packets + 1);
    std::array<rte_mbuf*, 32> taken{};
    std::size_t next = 0;
};

TEST_F(HandOverTest, PacketsComeWithTheirNotesAndInOrder) {
    ASSERT_TRUE(rings.give(0, 2, &packets[0], {.rx_port = PortId{3}, .hand_overs = 1}));
    ASSERT_TRUE(rings.give(0, 2, &packets[1], {.rx_port = PortId{4}, .hand_overs = 2}));
    ASSERT_EQ(rings.take(2, taken, next), 2U);
    EXPECT_EQ(taken[0], &packets[0]);
    EXPECT_EQ(taken[1], &packets[1]);
    EXPECT_EQ(HandOver::note_of(packets[0]).rx_port, PortId{3});
    EXPECT_EQ(HandOver::note_of(packets[1]).rx_port, PortId{4});
    EXPECT_EQ(HandOver::note_of(packets[0]).hand_overs, 1U);
    EXPECT_EQ(HandOver::note_of(packets[1]).hand_overs, 2U);
    EXPECT_EQ(rings.take(2, taken, next), 0U);
}

TEST_F(HandOverTest, OnlyTheOneItIsForTakesIt) {
    ASSERT_TRUE(rings.give(0, 1, &packets[0], {}));
    EXPECT_EQ(rings.take(0, taken, next), 0U);
    EXPECT_EQ(rings.take(2, taken, next), 0U);
    EXPECT_EQ(rings.take(1, taken, next), 1U);
}

TEST_F(HandOverTest, AFullRingTakesNothingMoreAndTheOthersDo) {
    for (unsigned i = 0; i < HandOver::ring_packets; ++i) {
        ASSERT_TRUE(rings.give(0, 1, &packets[i], {})) << i;
    }
    EXPECT_FALSE(rings.give(0, 1, &packets.back(), {}));
    EXPECT_TRUE(rings.give(2, 1, &packets.back(), {}));
    std::size_t count = 0;
    while (const std::size_t more = rings.take(1, taken, next)) {
        EXPECT_LE(more, taken.size());
        count += more;
    }
    EXPECT_EQ(count, packets.size());
    EXPECT_TRUE(rings.give(0, 1, &packets[0], {}));
}

// A giver that never stops must not keep another one waiting.
TEST_F(HandOverTest, GiversTakeTurns) {
    for (unsigned i = 0; i < 100; ++i) {
        ASSERT_TRUE(rings.give(0, 1, &packets[i], {}));
    }
    ASSERT_TRUE(rings.give(2, 1, &packets[200], {}));
    bool seen = false;
    for (int round = 0; round < 2; ++round) {
        const std::size_t count = rings.take(1, taken, next);
        for (std::size_t i = 0; i < count; ++i) {
            seen = seen || taken[i] == &packets[200];
        }
    }
    EXPECT_TRUE(seen);
}

} // namespace
} // namespace penstock
