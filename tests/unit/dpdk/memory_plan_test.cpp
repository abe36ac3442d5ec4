// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/memory_plan.hpp"

#include "dataplane/core/flow_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

using testing::HasSubstr;

config::DataplaneConfig configure(bool has_interface) {
    config::DataplaneConfig dataplane;
    dataplane.workers = {1};
    dataplane.workers_place.file = "penstock.toml";
    config::PortConfig port;
    port.name = "p0";
    (has_interface ? port.interface : port.device) = has_interface ? "eth1" : "net_ring0";
    dataplane.ports.push_back(port);
    return dataplane;
}

TEST(MemoryPlan, DefaultsFitWithOneInterface) {
    const auto plan = plan_memory(configure(true), 0, 1500);
    ASSERT_TRUE(plan) << to_string(plan.error());
    EXPECT_FALSE(plan->uses_hugepages);
    EXPECT_THAT(plan->note, HasSubstr("runs without hugepages"));
    EXPECT_GE(plan->buffers_per_worker, 8192U);
    EXPECT_EQ(plan->flow_table_bytes, FlowTable::bytes_for(1048576));
}

TEST(MemoryPlan, WithoutHugepagesTheTablesComeOnTop) {
    const auto plan = plan_memory(configure(true), 0, 1500);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->eal_mb + (plan->flow_table_bytes >> 20U), 256U);
}

TEST(MemoryPlan, UsesHugepagesThatAreFree) {
    const auto plan = plan_memory(configure(true), 256, 1500);
    ASSERT_TRUE(plan);
    EXPECT_TRUE(plan->uses_hugepages);
    EXPECT_EQ(plan->eal_mb, 256U);
    EXPECT_EQ(plan->note, "");
}

TEST(MemoryPlan, OffMeansOffAndSaysNothing) {
    auto dataplane = configure(true);
    dataplane.hugepages = config::HugepageMode::off;
    const auto plan = plan_memory(dataplane, 4096, 1500);
    ASSERT_TRUE(plan);
    EXPECT_FALSE(plan->uses_hugepages);
    EXPECT_EQ(plan->note, "");
}

TEST(MemoryPlan, RefusesDemandedHugepagesThatAreNotFree) {
    auto dataplane = configure(true);
    dataplane.hugepages = config::HugepageMode::on;
    const auto plan = plan_memory(dataplane, 255, 1500);
    ASSERT_FALSE(plan);
    EXPECT_THAT(plan.error().cause, HasSubstr("hugepages = \"on\""));
    EXPECT_THAT(plan.error().remedy, HasSubstr("sysctl vm.nr_hugepages=128"));
    EXPECT_TRUE(plan_memory(dataplane, 256, 1500));
}

TEST(MemoryPlan, RefusesMemoryThatIsTooSmallAndSaysHowMuchIsEnough) {
    auto dataplane = configure(true);
    dataplane.memory_mb = 32;
    const auto plan = plan_memory(dataplane, 0, 1500);
    ASSERT_FALSE(plan);
    EXPECT_THAT(plan.error().cause, HasSubstr("memory_mb = 32 is too small"));
    // The remedy works.
    const std::string remedy = plan.error().remedy;
    dataplane.memory_mb = static_cast<std::uint32_t>(
        std::stoul(remedy.substr(remedy.find("at least ") + std::string("at least ").size()))
    );
    EXPECT_TRUE(plan_memory(dataplane, 0, 1500));
    --dataplane.memory_mb;
    EXPECT_FALSE(plan_memory(dataplane, 0, 1500));
}

TEST(MemoryPlan, BuffersTakeTheLargestFrameOfAnInterface) {
    constexpr unsigned xdp_headroom = 256;
    for (const std::uint16_t mtu :
         {std::uint16_t{1500}, std::uint16_t{3000}, largest_interface_mtu}) {
        const auto plan = plan_memory(configure(true), 0, mtu);
        ASSERT_TRUE(plan);
        EXPECT_GE(plan->data_room_bytes, packet_headroom_bytes + xdp_headroom + mtu + 22U);
        EXPECT_LE(plan->data_room_bytes + 192U, 4096U);
    }
    EXPECT_EQ(
        plan_memory(configure(false), 0, 9000)->data_room_bytes, 2048 + packet_headroom_bytes
    );
}

} // namespace
} // namespace penstock
