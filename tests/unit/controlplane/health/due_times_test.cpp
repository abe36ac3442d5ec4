// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/due_times.hpp"

#include <gtest/gtest.h>
#include <random>

namespace penstock {
namespace {

using namespace std::chrono_literals;
using Time = DueTimes<int>::Time;

TEST(DueTimes, GivesOutInOrderOfTimeAndNothingEarly) {
    DueTimes<int> due;
    EXPECT_FALSE(due.next());
    std::minstd_rand random(7);
    for (int i = 0; i < 1000; ++i) {
        const int at = static_cast<int>(random() % 500);
        due.add(Time(std::chrono::milliseconds(at)), at);
    }
    int last = 0;
    std::size_t taken = 0;
    for (int now = 0; now <= 500; now += 5) {
        while (const auto item = due.take(Time(std::chrono::milliseconds(now)))) {
            EXPECT_LE(*item, now);
            EXPECT_GE(*item, last);
            last = *item;
            ++taken;
        }
        EXPECT_TRUE(!due.next() || *due.next() > Time(std::chrono::milliseconds(now)));
    }
    EXPECT_EQ(taken, 1000U);
    EXPECT_EQ(due.size(), 0U);
}

} // namespace
} // namespace penstock
