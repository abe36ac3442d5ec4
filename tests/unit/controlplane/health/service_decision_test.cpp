// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/service_decision.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

ServiceSpec make_service(std::initializer_list<Health> healths) {
    ServiceSpec service;
    for (const Health health : healths) {
        service.backends.push_back({.name = "b", .weight = 100, .health = health});
    }
    return service;
}

std::vector<Health> healths_of(const ServiceSpec& service) {
    std::vector<Health> out;
    for (const BackendSpec& backend : service.backends) {
        out.push_back(backend.health);
    }
    return out;
}

using enum Health;

TEST(ServiceDecision, WithoutAPolicyHealthStaysAsItIs) {
    ServiceSpec service = make_service({down, down, down});
    const auto decision = decide_service(service, {false, false, false}, {});
    EXPECT_EQ(decision, (ServiceDecision{.ready = 3}));
    EXPECT_EQ(healths_of(service), (std::vector{down, down, down}));
    EXPECT_EQ(describe_decision(decision, {}), "");
}

TEST(ServiceDecision, BelowTheThresholdAllReadyBackendsAreUsed) {
    const config::HealthPolicy policy{.panic_percent = 50};
    ServiceSpec half = make_service({up, up, down, down});
    EXPECT_FALSE(decide_service(half, std::vector<bool>(4), policy).is_panic);
    ServiceSpec less = make_service({up, down, down, down});
    less.backends[3].admin = AdminState::disabled;
    const auto decision = decide_service(less, std::vector<bool>(4), policy);
    EXPECT_TRUE(decision.is_panic);
    EXPECT_EQ(healths_of(less), (std::vector{up, up, up, down}));
    EXPECT_EQ(
        describe_decision(decision, policy),
        "panic: 1 of 3 ready backends are healthy, less than 50 %; all of them are used"
    );
}

TEST(ServiceDecision, NoPanicBeforeEverythingWasProbed) {
    const config::HealthPolicy policy{.panic_percent = 100, .min_healthy = 2};
    ServiceSpec service = make_service({down, unknown});
    const auto decision = decide_service(service, {false, false}, policy);
    EXPECT_FALSE(decision.is_panic || decision.is_below_minimum);
    EXPECT_EQ(healths_of(service), (std::vector{down, unknown}));
}

TEST(ServiceDecision, AHeldBackendIsNotUsedUnlessItIsTheLast) {
    ServiceSpec service = make_service({up, up, down});
    EXPECT_EQ(decide_service(service, {true, false, true}, {}).held, 1U);
    EXPECT_EQ(healths_of(service), (std::vector{down, up, down}));
    ServiceSpec last = make_service({up, down, up});
    decide_service(last, {true, false, true}, {});
    EXPECT_EQ(healths_of(last), (std::vector{up, down, up}));
}

TEST(ServiceDecision, AHeldBackendIsNotHealthyForTheMinimum) {
    const config::HealthPolicy policy{.min_healthy = 2};
    ServiceSpec service = make_service({up, up, down});
    const auto decision = decide_service(service, {true, false, false}, policy);
    EXPECT_TRUE(decision.is_below_minimum);
    EXPECT_EQ(decision.healthy, 1U);
    EXPECT_EQ(
        describe_decision(decision, policy),
        "1 healthy backends and 1 that flap, at least 2 are wanted (min_healthy)"
    );
    ServiceSpec all_held = make_service({up, up});
    const auto waived = decide_service(all_held, {true, true}, policy);
    EXPECT_TRUE(waived.is_hold_waived && waived.is_below_minimum);
    EXPECT_EQ(healths_of(all_held), (std::vector{up, up}));
}

TEST(ServiceDecision, HeldBackendsAreUsedBeforeThereIsPanic) {
    const config::HealthPolicy policy{.panic_percent = 50};
    ServiceSpec service = make_service({up, up, up, down, down});
    const auto decision = decide_service(service, {true, false, false, false, false}, policy);
    EXPECT_EQ(
        decision, (ServiceDecision{.ready = 5, .healthy = 2, .held = 1, .is_hold_waived = true})
    );
    EXPECT_EQ(healths_of(service), (std::vector{up, up, up, down, down}));
    ServiceSpec enough = make_service({up, up, up, up, down});
    EXPECT_FALSE(decide_service(enough, {true, false, false, false, false}, policy).is_hold_waived);
    EXPECT_EQ(healths_of(enough), (std::vector{down, up, up, up, down}));
    ServiceSpec panic = make_service({up, up, down, down, down});
    EXPECT_TRUE(decide_service(panic, {true, false, false, false, false}, policy).is_panic);
    EXPECT_EQ(healths_of(panic), (std::vector{up, up, up, up, up}));
}

TEST(ServiceDecision, KeptOnesAreUsedAndNotHealthy) {
    const config::HealthPolicy policy{.min_healthy = 2, .shrink_limit = 1};
    ServiceSpec service = make_service({up, down, down, down});
    service.backends[3].admin = AdminState::drain;
    const auto decision =
        decide_service(service, std::vector<bool>(4), policy, {false, false, true, true});
    EXPECT_EQ(
        decision, (ServiceDecision{.ready = 3, .healthy = 1, .kept = 1, .is_below_minimum = true})
    );
    EXPECT_EQ(healths_of(service), (std::vector{up, down, up, down}));
    EXPECT_TRUE(describe_decision(decision, policy)
                    .starts_with("1 more went down than may be taken out within 60 s (shrink_limit "
                                 "= 1): they stay in use"));
}

TEST(ServiceDecision, TooFewHealthyOnesAreNamed) {
    const config::HealthPolicy policy{.min_healthy = 2};
    ServiceSpec service = make_service({up, down});
    const auto decision = decide_service(service, {false, false}, policy);
    EXPECT_TRUE(decision.is_below_minimum);
    EXPECT_EQ(
        describe_decision(decision, policy),
        "1 healthy backends, at least 2 are wanted (min_healthy)"
    );
}

} // namespace
} // namespace penstock
