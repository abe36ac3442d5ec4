// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/snapshot.hpp"

#include "tests/unit/core/desired.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using test::desired;
using test::service;

std::shared_ptr<const Snapshot> compile(std::vector<ServiceSpec> services, IdRegistry& ids) {
    const auto compiled = compile_snapshot(desired(std::move(services)), ids, nullptr);
    EXPECT_TRUE(compiled);
    return compiled ? *compiled : nullptr;
}

ServiceSpec numbered(std::uint32_t address, std::uint32_t port, Protocol protocol = Protocol::tcp) {
    ServiceSpec spec = service("0.0.0.0", {}, static_cast<std::uint16_t>(port), protocol);
    spec.key.vip = IpAddress::from_ipv4(Be32::from_host(address));
    return spec;
}

const ServiceEntry* find(const Snapshot& snapshot, const ServiceKey& key) {
    return snapshot.find_service_ipv4(
        key.vip.ipv4(), static_cast<std::uint8_t>(key.protocol), Be16::from_host(key.port)
    );
}

TEST(Snapshot, EmptyOneHasNoServiceAndNoVip) {
    IdRegistry ids;
    const auto snapshot = compile({}, ids);
    EXPECT_EQ(find(*snapshot, numbered(0xc6336401, 80).key), nullptr);
    EXPECT_FALSE(snapshot->is_vip(test::ip("198.51.100.1")));
    EXPECT_FALSE(snapshot->is_vip(IpAddress{}));
    for (const std::uint16_t id : {std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{16383}}) {
        EXPECT_FALSE(snapshot->backend({id}).in_use);
    }
}

TEST(Snapshot, OneServiceIsFoundByItsWholeKeyOnly) {
    IdRegistry ids;
    const auto snapshot = compile({numbered(0xc6336401, 80)}, ids);
    EXPECT_NE(find(*snapshot, numbered(0xc6336401, 80).key), nullptr);
    EXPECT_EQ(find(*snapshot, numbered(0xc6336402, 80).key), nullptr);
    EXPECT_EQ(find(*snapshot, numbered(0xc6336401, 81).key), nullptr);
    EXPECT_EQ(find(*snapshot, numbered(0xc6336401, 80, Protocol::udp).key), nullptr);
    EXPECT_TRUE(snapshot->is_vip(test::ip("198.51.100.1")));
    const auto six = test::ip("2001:db8::1").bytes();
    EXPECT_EQ(snapshot->find_service_ipv6(six.data(), 6, Be16::from_host(80)), nullptr);
}

// Plans as operators have them; each must be found, nothing else, and nearly at once.
TEST(Snapshot, FindsEachOfThousandsQuickly) {
    std::vector<ServiceSpec> one_net;
    std::vector<ServiceSpec> many_ports;
    std::vector<ServiceSpec> grid;
    for (std::uint32_t i = 0; i < max_services; ++i) {
        one_net.push_back(numbered(0xc6330000U + i, 443));
        many_ports.push_back(
            numbered(0xc6336401U, 1 + i, i % 2 == 0 ? Protocol::tcp : Protocol::udp)
        );
        grid.push_back(numbered(0xc6336400U + (i % 64), 8000 + (i / 64)));
    }
    for (const auto* services : {&one_net, &many_ports, &grid}) {
        IdRegistry ids;
        const auto snapshot = compile(*services, ids);
        for (const ServiceSpec& spec : *services) {
            const ServiceEntry* const entry = find(*snapshot, spec.key);
            ASSERT_NE(entry, nullptr);
            ASSERT_EQ(entry->id, ids.service(spec.key));
            ASSERT_TRUE(snapshot->is_vip(spec.key.vip));
        }
        for (std::uint32_t i = 0; i < 10000; ++i) {
            ASSERT_EQ(find(*snapshot, numbered(0x0a000000U + i, 443).key), nullptr);
            ASSERT_FALSE(snapshot->is_vip(IpAddress::from_ipv4(Be32::from_host(0x0a000000U + i))));
        }
        // A quarter full with random hashing: chains of 16 are already one in millions.
        EXPECT_LE(snapshot->longest_probe(), 16U);
    }
}

TEST(Snapshot, TimeoutsAreNeverShorterThanAsked) {
    IdRegistry ids;
    DesiredState state = desired({});
    for (const unsigned seconds : {1U, 2U, 3U, 30U, 7439U, unsigned{max_flow_timeout_s}}) {
        state.timeouts.udp_s = static_cast<std::uint16_t>(seconds);
        const auto snapshot = compile_snapshot(state, ids, nullptr);
        ASSERT_TRUE(snapshot);
        const unsigned ticks = (*snapshot)->timeout_ticks(FlowState::udp);
        EXPECT_GE(ticks * CoarseTime::seconds_per_tick, seconds);
        EXPECT_LE(
            ticks * CoarseTime::seconds_per_tick, seconds + (2 * CoarseTime::seconds_per_tick)
        );
        EXPECT_LT(ticks, CoarseTime::mask);
    }
}

} // namespace
} // namespace penstock
