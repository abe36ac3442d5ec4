// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/refused_logins.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using namespace std::chrono_literals;

TEST(RefusedLogins, TheFirstAtOnceThenANumber) {
    RefusedLogins refused;
    const RefusedLogins::Time start{1h};
    EXPECT_EQ(refused.add("bad token", start), "bad token");
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(refused.add("bad token", start + 9s), std::nullopt);
    }
    EXPECT_EQ(
        refused.add("no token", start + 10s), "no token; 1000 more were refused since the last line"
    );
    EXPECT_EQ(refused.add("no token", start + 1h), "no token");
    EXPECT_EQ(refused.count(), 1003U);
}

} // namespace
} // namespace penstock
