// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/eal_arguments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

using testing::Contains;
using testing::Not;

const LcorePlan lcores{.main_cpus = {0, 2}, .worker_cpus = {1, 130}, .is_main_shared = false};
const MemoryPlan no_hugepages{
    .uses_hugepages = false,
    .eal_mb = 200,
    .buffers_per_worker = 0,
    .data_room_bytes = 0,
    .flow_table_bytes = 0,
    .note = ""
};

config::DataplaneConfig with_device(const std::string& device) {
    config::DataplaneConfig dataplane;
    dataplane.ports.push_back(
        {.name = "p0", .interface = {}, .device = device, .mtu = {}, .place = {}}
    );
    return dataplane;
}

TEST(EalArguments, PlacesLcoresByNumberWhateverTheCpu) {
    const auto arguments =
        make_eal_arguments(with_device("net_ring0"), lcores, no_hugepages, "penstock-1");
    EXPECT_EQ(arguments.front(), "penstock-dp");
    EXPECT_THAT(arguments, Contains("--lcores=0@(0,2),1@1,2@130"));
    EXPECT_THAT(arguments, Contains("--main-lcore=0"));
    EXPECT_THAT(arguments, Contains("--file-prefix=penstock-1"));
    EXPECT_THAT(arguments, Contains("--no-telemetry"));
}

TEST(EalArguments, WithoutHugepages) {
    const auto arguments = make_eal_arguments(with_device("net_ring0"), lcores, no_hugepages, "x");
    EXPECT_THAT(arguments, Contains("--no-huge"));
    EXPECT_THAT(arguments, Contains("--no-shconf"));
    EXPECT_THAT(arguments, Contains("200"));
    EXPECT_THAT(arguments, Not(Contains("--in-memory")));
}

TEST(EalArguments, WithHugepages) {
    MemoryPlan memory = no_hugepages;
    memory.uses_hugepages = true;
    const auto arguments = make_eal_arguments(with_device("net_ring0"), lcores, memory, "x");
    EXPECT_THAT(arguments, Contains("--in-memory"));
    EXPECT_THAT(arguments, Not(Contains("--no-huge")));
}

TEST(EalArguments, LooksAtThePciBusOnlyForANic) {
    EXPECT_THAT(
        make_eal_arguments(with_device("net_ring0"), lcores, no_hugepages, "x"),
        Contains("--no-pci")
    );
    const auto arguments =
        make_eal_arguments(with_device("0000:3b:00.0"), lcores, no_hugepages, "x");
    EXPECT_THAT(arguments, Not(Contains("--no-pci")));
    EXPECT_THAT(arguments, Contains("0000:3b:00.0"));
}

TEST(EalArguments, AppendsTheOperators) {
    auto dataplane = with_device("net_ring0");
    dataplane.eal_args = {"--log-level=lib.eal:debug", "--legacy-mem"};
    const auto arguments = make_eal_arguments(dataplane, lcores, no_hugepages, "x");
    EXPECT_EQ(arguments[arguments.size() - 2], "--log-level=lib.eal:debug");
    EXPECT_EQ(arguments.back(), "--legacy-mem");
}

TEST(EalArguments, KnowsAPciAddress) {
    for (const char* device : {"0000:3b:00.0", "3b:00.1", "10ab:00:1F.7"}) {
        EXPECT_TRUE(is_pci_address(device)) << device;
    }
    for (const char* device :
         {"net_pcap0,iface=eth0", "net_ring0", "", "3b:00", "3b:00.8", "0000-3b:00.0", "3g:00.0"}) {
        EXPECT_FALSE(is_pci_address(device)) << device;
    }
}

} // namespace
} // namespace penstock
