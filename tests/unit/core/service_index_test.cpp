// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/service_index.hpp"

#include "dataplane/core/desired_state_check.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>
#include <tuple>

namespace penstock {
namespace {

ServiceKey
key(const char* prefix, Protocol protocol, std::uint16_t port, std::uint16_t more_ports = 0) {
    const auto vip = *IpPrefix::parse(prefix);
    return {
        .vip = vip.address,
        .protocol = protocol,
        .port = port,
        .more_ports = more_ports,
        .host_bits = vip.host_bits,
    };
}

std::int32_t find(
    const ServiceIndex& index, const IpAddress& address, std::uint8_t protocol, std::uint16_t port
) {
    return address.is_ipv4()
               ? index.find_ipv4(address.ipv4(), protocol, Be16::from_host(port))
               : index.find_ipv6(address.bytes().data(), protocol, Be16::from_host(port));
}

// The rule of ServiceKey, word by word.
std::int32_t find_slowly(
    std::span<const ServiceKey> keys,
    const IpAddress& address,
    std::uint8_t protocol,
    std::uint16_t port
) {
    std::int32_t best = ServiceIndex::none;
    const auto rank = [&](std::int32_t i) {
        const ServiceKey& each = keys[static_cast<std::size_t>(i)];
        return std::tuple(
            each.host_bits,
            each.protocol == Protocol::any,
            each.takes_any_port() ? 65536U : std::uint32_t{each.more_ports}
        );
    };
    for (std::int32_t i = 0; i < std::ssize(keys); ++i) {
        const ServiceKey& each = keys[static_cast<std::size_t>(i)];
        const bool takes_protocol =
            each.protocol == Protocol::any || static_cast<std::uint8_t>(each.protocol) == protocol;
        if (each.prefix().contains(address) && takes_protocol && port >= each.port &&
            port <= each.last_port() && (best == ServiceIndex::none || rank(i) < rank(best))) {
            best = i;
        }
    }
    return best;
}

TEST(ServiceIndex, TheMostSpecificServiceTakesThePacket) {
    const std::vector<ServiceKey> keys{
        key("198.51.100.10", Protocol::tcp, 443),
        key("198.51.100.10", Protocol::tcp, 8000, 99),
        key("198.51.100.10", Protocol::tcp, 8050, 9),
        key("198.51.100.10", Protocol::tcp, 0),
        key("198.51.100.10", Protocol::any, 0),
        key("198.51.100.0/24", Protocol::tcp, 443),
        key("2001:db8::/64", Protocol::udp, 53),
    };
    const ServiceIndex index(keys);
    const auto vip = *IpAddress::parse("198.51.100.10");
    const auto other = *IpAddress::parse("198.51.100.11");
    EXPECT_EQ(find(index, vip, 6, 443), 0);
    EXPECT_EQ(find(index, vip, 6, 8000), 1);
    EXPECT_EQ(find(index, vip, 6, 8055), 2);
    EXPECT_EQ(find(index, vip, 6, 8099), 1);
    EXPECT_EQ(find(index, vip, 6, 8100), 3);
    EXPECT_EQ(find(index, vip, 17, 443), 4);
    EXPECT_EQ(find(index, vip, 50, 0), 4);
    EXPECT_EQ(find(index, vip, 1, 0), ServiceIndex::none) << "ICMP is never a service's";
    EXPECT_EQ(find(index, other, 6, 443), 5);
    EXPECT_EQ(find(index, other, 6, 80), ServiceIndex::none);
    EXPECT_EQ(find(index, *IpAddress::parse("2001:db8::ff"), 17, 53), 6);
    EXPECT_EQ(find(index, *IpAddress::parse("2001:db8:0:1::"), 17, 53), ServiceIndex::none);
    EXPECT_TRUE(index.covers(other));
    EXPECT_FALSE(index.covers(*IpAddress::parse("198.51.101.0")));
    EXPECT_TRUE(index.covers(*IpAddress::parse("2001:db8::5")));
}

TEST(ServiceIndex, AnswersAsTheRuleDoesForRandomPlans) {
    std::mt19937 random(1);
    const auto address = [&](bool six, std::uint8_t host_bits) {
        const std::string text =
            (six ? "2001:db8::" : "198.51.100.") + std::to_string(random() % (six ? 90 : 32));
        return clear_host_bits(*IpAddress::parse(text), host_bits);
    };
    for (int round = 0; round < 200; ++round) {
        std::vector<ServiceKey> keys;
        for (int i = 0; i < 40; ++i) {
            const auto host_bits = static_cast<std::uint8_t>(random() % 3 == 0 ? random() % 6 : 0);
            const bool ranged = random() % 3 == 0;
            ServiceKey made{
                .vip = address(random() % 2 == 0, host_bits),
                .protocol = random() % 2 == 0 ? Protocol::tcp : Protocol::udp,
                .port = static_cast<std::uint16_t>(random() % 20),
                .host_bits = host_bits,
            };
            made.more_ports =
                static_cast<std::uint16_t>(ranged && made.port > 0 ? random() % 9 : 0);
            if (made.takes_any_port() && random() % 2 == 0) {
                made.protocol = Protocol::any;
            }
            if (std::ranges::none_of(keys, [&](const ServiceKey& k) {
                    return conflict(k, made);
                })) {
                keys.push_back(made);
            }
        }
        const ServiceIndex index(keys);
        for (int i = 0; i < 2000; ++i) {
            const IpAddress to = address(random() % 2 == 0, 0);
            const std::uint8_t protocol = std::array<std::uint8_t, 3>{6, 17, 47}[random() % 3];
            const auto port = static_cast<std::uint16_t>(protocol == 47 ? 0 : random() % 30);
            ASSERT_EQ(find(index, to, protocol, port), find_slowly(keys, to, protocol, port));
            ASSERT_EQ(index.covers(to), std::ranges::any_of(keys, [&](const ServiceKey& k) {
                          return k.prefix().contains(to);
                      }));
        }
    }
}

} // namespace
} // namespace penstock
