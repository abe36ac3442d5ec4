// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/configuration.hpp"

#include "tests/unit/config/sample.hpp"

#include <gtest/gtest.h>

namespace penstock::config {
namespace {

using testing::head;
using testing::service;

TEST(Configuration, becomes_the_declaration_of_a_generation) {
    const auto configuration = parse_configuration(
        testing::replace(head, "[1]", "[1]\ntunnel_source = \"10.0.0.2\"") + service +
            "[flow]\nudp = \"1m\"\n",
        "t.toml"
    );
    ASSERT_TRUE(configuration) << render(configuration.error());
    FlowHashKey key{};
    key[3] = 7;
    const DesiredState desired = to_desired_state(*configuration, key, 42);
    EXPECT_EQ(desired.generation, 42U);
    EXPECT_EQ(desired.flow_hash_key, key);
    EXPECT_EQ(desired.timeouts.udp_s, 60);
    EXPECT_EQ(desired.tunnel_sources.ipv4, IpPrefix::parse("10.0.0.2"));
    ASSERT_EQ(desired.services.size(), 1U);
    EXPECT_EQ(desired.services[0], configuration->services[0].spec);
}

TEST(Configuration, a_moved_line_is_no_change_and_a_changed_value_is) {
    const auto first = parse_configuration(head + service, "a.toml");
    const auto moved = parse_configuration("\n# comment\n\n" + head + "\n\n" + service, "b.toml");
    const auto changed =
        parse_configuration(head + testing::replace(service, "10.0.1.11", "10.0.1.12"), "a.toml");
    ASSERT_TRUE(first && moved && changed);
    EXPECT_EQ(*first, *moved);
    EXPECT_NE(*first, *changed);
}

} // namespace
} // namespace penstock::config
