// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/lcore_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

using testing::HasSubstr;

config::DataplaneConfig configure(std::vector<std::uint16_t> workers) {
    config::DataplaneConfig dataplane;
    dataplane.workers = std::move(workers);
    static_cast<config::Place&>(dataplane.workers_place
    ) = {.file = "penstock.toml", .line = 5, .column = 11};
    return dataplane;
}

const HostCpus four_cpus{.online = {0, 1, 2, 3}, .allowed = {0, 1, 2, 3}, .isolated = {}};

TEST(LcorePlan, LeavesTheOtherCpusToTheMainLcore) {
    const auto plan = plan_lcores(configure({1, 3}), four_cpus);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->worker_cpus, (std::vector<std::uint16_t>{1, 3}));
    EXPECT_EQ(plan->main_cpus, (std::set<std::uint16_t>{0, 2}));
    EXPECT_FALSE(plan->is_main_shared);
}

TEST(LcorePlan, KeepsTheMainLcoreOffIsolatedCpus) {
    HostCpus host = four_cpus;
    host.isolated = {2, 3};
    const auto plan = plan_lcores(configure({3}), host);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->main_cpus, (std::set<std::uint16_t>{0, 1}));
}

TEST(LcorePlan, SharesWhenEveryCpuIsAWorkers) {
    const auto plan = plan_lcores(configure({0, 1, 2, 3}), four_cpus);
    ASSERT_TRUE(plan);
    EXPECT_TRUE(plan->is_main_shared);
    EXPECT_EQ(plan->main_cpus.size(), 4U);
}

TEST(LcorePlan, TakesTheConfiguredMainCore) {
    auto dataplane = configure({1});
    dataplane.main_core = 2;
    const auto plan = plan_lcores(dataplane, four_cpus);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->main_cpus, std::set<std::uint16_t>{2});
}

TEST(LcorePlan, RefusesACpuThatDoesNotExist) {
    const auto plan = plan_lcores(configure({9}), four_cpus);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().place, "penstock.toml:5:11");
    EXPECT_THAT(plan.error().cause, HasSubstr("CPU 9, which this host does not have"));
    EXPECT_THAT(plan.error().remedy, HasSubstr("0-3"));
}

TEST(LcorePlan, RefusesACpuOutsideOfTheAffinity) {
    HostCpus host = four_cpus;
    host.allowed = {0, 1};
    const auto plan = plan_lcores(configure({1, 2}), host);
    ASSERT_FALSE(plan);
    EXPECT_THAT(plan.error().cause, HasSubstr("worker 1 is CPU 2, which this process may not use"));
}

TEST(LcorePlan, RefusesACpuUsedTwice) {
    const auto plan = plan_lcores(configure({1, 1}), four_cpus);
    ASSERT_FALSE(plan);
    EXPECT_THAT(plan.error().cause, HasSubstr("CPU 1 is used by two workers"));
}

TEST(LcorePlan, RefusesAMainCoreThatDoesNotExist) {
    auto dataplane = configure({1});
    dataplane.main_core = 77;
    EXPECT_FALSE(plan_lcores(dataplane, four_cpus));
}

} // namespace
} // namespace penstock
