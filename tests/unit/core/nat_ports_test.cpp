// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/nat_ports.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>

namespace penstock {
namespace {

constexpr BackendId one{1};
constexpr BackendId other{2};

std::vector<IpAddress> sources(std::size_t count) {
    std::vector<IpAddress> list;
    for (std::size_t i = 0; i < count; ++i) {
        list.push_back(
            IpAddress::from_ipv4(Be32::from_host(0x0a000000U + static_cast<std::uint32_t>(i)))
        );
    }
    return list;
}

TEST(PortShare, EveryPortHasOneOwner) {
    for (std::size_t workers = 1; workers <= max_workers; ++workers) {
        std::uint32_t next = first_nat_port;
        for (std::size_t worker = 0; worker < workers; ++worker) {
            const PortShare share = port_share(worker, workers);
            ASSERT_EQ(share.first, next);
            ASSERT_GE(share.count, nat_port_count / workers);
            for (std::uint32_t i = 0; i < share.count; ++i) {
                const auto port = static_cast<std::uint16_t>(share.first + i);
                ASSERT_EQ(owner_of_port(port, workers), worker) << port << " of " << workers;
            }
            next += share.count;
        }
        ASSERT_EQ(next, 65536U);
    }
    EXPECT_EQ(owner_of_port(80, 4), 0U);
}

TEST(NatPorts, GivesOutEveryPortOfEverySourceOnce) {
    const auto list = sources(3);
    const PortShare share = port_share(5, 64);
    auto ports = std::make_unique<NatPorts>(share);
    std::set<std::pair<IpAddress, std::uint16_t>> taken;
    const auto is_taken = [&](const NatSource& source) {
        return taken.contains({source.address, source.port.host()});
    };
    for (std::size_t i = 0; i < std::size_t{share.count} * 3; ++i) {
        const auto source = ports->find_free(one, list, 12345, is_taken);
        ASSERT_TRUE(source) << i;
        ASSERT_EQ(owner_of_port(source->port.host(), 64), 5U);
        ASSERT_TRUE(taken.emplace(source->address, source->port.host()).second);
    }
    EXPECT_FALSE(ports->find_free(one, list, 0, is_taken)) << "exhausted";
    EXPECT_TRUE(ports->find_free(other, list, 0, [](const NatSource&) { return false; }))
        << "another backend is another pool";
    // One comes back: it is found after as many searches as the circle has parts.
    taken.erase(taken.begin());
    std::size_t searches = 1;
    while (!ports->find_free(one, list, 0, is_taken)) {
        ++searches;
        ASSERT_LE(searches, 2 + (std::size_t{share.count} * 3 / NatPorts::max_search));
    }
}

TEST(NatPorts, TheLongestUnusedPortComesNext) {
    const auto list = sources(1);
    const PortShare share{.first = 2000, .count = 100};
    auto ports = std::make_unique<NatPorts>(share);
    const auto none_taken = [](const NatSource&) { return false; };
    const auto first = ports->find_free(one, list, 40, none_taken);
    EXPECT_EQ(first->port.host(), 2040U) << "starts where it is told";
    for (int i = 1; i < 100; ++i) {
        EXPECT_NE(ports->find_free(one, list, 0, none_taken), first) << i;
    }
    EXPECT_EQ(ports->find_free(one, list, 0, none_taken), first);
}

TEST(NatPorts, SourcesMayComeAndGo) {
    auto ports = std::make_unique<NatPorts>(PortShare{.first = 60000, .count = 5536});
    const auto none_taken = [](const NatSource&) { return false; };
    ASSERT_TRUE(ports->find_free(one, sources(9), 9U * 5536U - 1, none_taken));
    for (const std::size_t count : {1U, 5U, 2U}) {
        const auto list = sources(count);
        const auto source = ports->find_free(one, list, 0, none_taken);
        ASSERT_TRUE(source);
        EXPECT_NE(std::ranges::find(list, source->address), list.end());
    }
    EXPECT_FALSE(ports->find_free(one, {}, 0, none_taken));
}

TEST(NatPorts, TheSurveyFindsTheFullestPool) {
    auto ports = std::make_unique<NatPorts>(port_share(0, 1));
    for (int i = 0; i < 10; ++i) {
        ports->count_taken(one);
    }
    ports->count_taken({max_backends - 1});
    ports->count_freed(one);
    ports->survey(max_backends - 1);
    EXPECT_EQ(ports->fullest(), 0U) << "not yet complete";
    ports->survey(1);
    EXPECT_EQ(ports->fullest(), 9U);
    for (int i = 0; i < 9; ++i) {
        ports->count_freed(one);
    }
    ports->survey(max_backends);
    EXPECT_EQ(ports->fullest(), 1U);
}

} // namespace
} // namespace penstock
