// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/backend_condition.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(BackendCondition, ASmallShareOfAWeightIsNotNone) {
    EXPECT_EQ(scale_weight(100, 75), 75);
    EXPECT_EQ(scale_weight(1, 10), 1);
    EXPECT_EQ(scale_weight(65535, 100), 65535);
    EXPECT_EQ(scale_weight(100, 0), 0);
    EXPECT_EQ(scale_weight(0, 100), 0);
}

TEST(BackendCondition, AServerCanTakeItselfOutButNotBackIn) {
    BackendSpec backend{.name = "b", .admin = AdminState::ready};
    const BackendCondition drains{
        .health = Health::up,
        .report = AgentReport{.weight_percent = 50, .admin = AdminState::drain}
    };
    lay_condition(backend, drains, {});
    EXPECT_EQ(backend.weight, 50);
    EXPECT_EQ(backend.admin, AdminState::drain);
    EXPECT_EQ(backend.health, Health::up);

    BackendSpec disabled{.name = "b", .admin = AdminState::disabled};
    lay_condition(disabled, {.health = Health::up, .report = AgentReport{}}, {});
    EXPECT_EQ(disabled.admin, AdminState::disabled);
}

TEST(BackendCondition, TheOperatorStandsAboveTheServersWord) {
    BackendSpec backend{.name = "b", .admin = AdminState::ready};
    lay_condition(
        backend,
        {.health = Health::up,
         .report = AgentReport{.weight_percent = 10, .admin = AdminState::disabled}},
        {.has_admin = true, .has_weight = true}
    );
    EXPECT_EQ(backend.admin, AdminState::ready);
    EXPECT_EQ(backend.weight, 100);
}

} // namespace
} // namespace penstock
