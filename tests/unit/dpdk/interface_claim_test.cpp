// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/interface_claim.hpp"

#include "dataplane/dpdk/memory_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

InterfaceFacts nic_with(std::uint32_t queues) {
    InterfaceFacts facts;
    facts.name = "eth1";
    facts.driver = "ice";
    facts.mtu = 1500;
    facts.is_ethernet = true;
    facts.is_up = true;
    facts.has_carrier = true;
    facts.rx_queues = queues;
    facts.has_combined_queues = true;
    return facts;
}

config::PortConfig port() {
    config::PortConfig config;
    config.name = "edge0";
    config.interface = "eth1";
    static_cast<config::Place&>(config.place) = {.file = "penstock.toml", .line = 7, .column = 1};
    return config;
}

TEST(InterfaceCheck, TakesOneQueueAWorker) {
    EXPECT_TRUE(check_interface(port(), nic_with(4), 4));
    EXPECT_TRUE(check_interface(port(), nic_with(1), 1));
}

TEST(InterfaceCheck, RefusesAQueueWithoutASocketAndNamesTheCommand) {
    for (const std::uint32_t queues : {1U, 3U, 8U}) {
        const auto checked = check_interface(port(), nic_with(queues), 2);
        ASSERT_FALSE(checked) << queues;
        EXPECT_EQ(checked.error().place, "penstock.toml:7:1");
        EXPECT_EQ(checked.error().remedy, "ethtool -L eth1 combined 2");
    }
}

TEST(InterfaceCheck, NamesTheCommandForADriverWithoutCombinedQueues) {
    InterfaceFacts facts = nic_with(2);
    facts.has_combined_queues = false;
    EXPECT_EQ(check_interface(port(), facts, 1).error().remedy, "ethtool -L eth1 rx 1 tx 1");
    EXPECT_THAT(check_interface(port(), facts, 2).error().remedy, HasSubstr("one worker"));
}

TEST(InterfaceCheck, RefusesAnInterfaceThatIsDown) {
    InterfaceFacts facts = nic_with(1);
    facts.is_up = false;
    EXPECT_EQ(check_interface(port(), facts, 1).error().remedy, "ip link set dev eth1 up");
}

TEST(InterfaceCheck, RefusesWhatIsNotEthernet) {
    InterfaceFacts facts = nic_with(1);
    facts.is_ethernet = false;
    EXPECT_FALSE(check_interface(port(), facts, 1));
}

TEST(InterfaceCheck, RefusesAnMtuThatAfXdpCannotCarry) {
    InterfaceFacts facts = nic_with(1);
    facts.mtu = largest_interface_mtu;
    EXPECT_TRUE(check_interface(port(), facts, 1));
    facts.mtu = largest_interface_mtu + 1;
    EXPECT_THAT(check_interface(port(), facts, 1).error().remedy, HasSubstr("mtu 3494"));
}

TEST(InterfaceCheck, RefusesAnMtuAboveTheKernels) {
    config::PortConfig config = port();
    config.mtu = 1501;
    EXPECT_FALSE(check_interface(config, nic_with(1), 1));
    config.mtu = 1400;
    EXPECT_TRUE(check_interface(config, nic_with(1), 1));
}

TEST(InterfaceWarnings, NameTheCommandForAVethWithOffloads) {
    InterfaceFacts facts = nic_with(1);
    facts.tx_checksum = true;
    EXPECT_THAT(interface_warnings(facts), IsEmpty()); // a NIC computes it
    facts.driver = "veth";
    ASSERT_EQ(interface_warnings(facts).size(), 1U);
    EXPECT_THAT(interface_warnings(facts).front(), HasSubstr("ethtool -K eth1 tx off"));
    facts.tx_checksum = false;
    EXPECT_THAT(interface_warnings(facts), IsEmpty());
}

TEST(InterfaceFactsReader, NamesTheInterfacesThereAre) {
    const auto facts = read_interface_facts("no-such-if0");
    ASSERT_FALSE(facts);
    EXPECT_THAT(facts.error().cause, HasSubstr("no-such-if0"));
    EXPECT_THAT(facts.error().remedy, HasSubstr("lo"));
    EXPECT_FALSE(read_interface_facts("a-name-longer-than-an-interface-can-have"));
}

TEST(InterfaceFactsReader, ReadsLoopback) {
    const auto facts = read_interface_facts("lo");
    ASSERT_TRUE(facts) << to_string(facts.error());
    EXPECT_FALSE(facts->is_ethernet);
    EXPECT_GT(facts->mtu, 0U);
}

} // namespace
} // namespace penstock
