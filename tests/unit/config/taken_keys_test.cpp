// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/taken_keys.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace penstock::config {
namespace {

// The rule of ServiceKey's comment, word by word.
bool may_not_stand_together(const ServiceKey& a, const ServiceKey& b) {
    const bool equal = a.prefix() == b.prefix() && a.protocol == b.protocol &&
                       a.takes_any_port() == b.takes_any_port() && a.more_ports == b.more_ports;
    return equal && a.port <= b.last_port() && b.port <= a.last_port();
}

TEST(TakenKeys, agree_with_the_rule) {
    std::mt19937 random(1);
    const auto number = [&random](unsigned least, unsigned most) {
        return static_cast<std::uint16_t>(
            std::uniform_int_distribution<unsigned>(least, most)(random)
        );
    };
    unsigned refused = 0;
    for (unsigned round = 0; round < 300; ++round) {
        TakenKeys taken;
        std::vector<ServiceKey> keys;
        for (std::uint32_t i = 1; i <= 40; ++i) {
            ServiceKey key{.vip = *IpAddress::parse("198.51.100.0"), .port = 0};
            key.host_bits = static_cast<std::uint8_t>(number(0, 1) * 8);
            key.protocol = number(0, 1) == 0 ? Protocol::tcp : Protocol::udp;
            if (number(0, 9) > 0) {
                key.port = number(0, 3) == 0 ? number(65500, 65535) : number(1, 60);
                key.more_ports = std::min<std::uint16_t>(number(0, 3) * 5U, 65535U - key.port);
            }
            bool expected = false;
            for (const ServiceKey& other : keys) {
                expected = expected || may_not_stand_together(key, other);
            }
            const bool got = taken.add(key, {.line = i}).has_value();
            ASSERT_EQ(got, expected) << to_string(key);
            refused += got ? 1 : 0;
            if (!got) {
                keys.push_back(key);
            }
        }
    }
    EXPECT_GT(refused, 1000U) << "the keys hardly ever met";
}

TEST(TakenKeys, say_where_the_other_stands) {
    TakenKeys taken;
    const IpAddress vip = *IpAddress::parse("198.51.100.10");
    EXPECT_FALSE(taken.add({.vip = vip, .port = 8000, .more_ports = 99}, {.line = 7}));
    EXPECT_FALSE(taken.add({.vip = vip, .port = 8000, .more_ports = 9}, {.line = 8}));
    const auto first = taken.add({.vip = vip, .port = 8099, .more_ports = 99}, {.line = 9});
    ASSERT_TRUE(first);
    EXPECT_EQ(first->line, 7U);
}

} // namespace
} // namespace penstock::config
