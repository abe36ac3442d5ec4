// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/nat_table.hpp"

#include "dataplane/core/line_memory.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace penstock {
namespace {

IpAddress address(std::uint32_t number) {
    return IpAddress::from_ipv4(Be32::from_host(0x0a000000U + number));
}

FlowTuple forward_of(const NatFlow& flow) {
    return {
        .source = flow.client,
        .destination = flow.vip,
        .source_port = flow.client_port,
        .destination_port = flow.vip_port,
        .protocol = flow.protocol,
    };
}

FlowTuple reply_of(const NatFlow& flow) {
    return {
        .source = flow.server,
        .destination = flow.source,
        .source_port = flow.server_port,
        .destination_port = flow.source_port,
        .protocol = flow.protocol,
    };
}

// Flow number `n`: no two share a tuple.
NatFlow flow_of(std::uint32_t n) {
    NatFlow flow;
    flow.client = address(n >> 8U);
    flow.client_port = Be16::from_host(static_cast<std::uint16_t>(1000 + (n & 0xffU)));
    flow.vip = address(0xffff01);
    flow.vip_port = Be16::from_host(80);
    flow.server = address(0xffff02 + (n % 3));
    flow.server_port = Be16::from_host(8080);
    flow.source = address(0xfffff0);
    flow.source_port = Be16::from_host(static_cast<std::uint16_t>(2000 + n));
    flow.protocol = 6;
    flow.backend = {static_cast<std::uint16_t>(1 + (n % 3))};
    return flow;
}

class NatTableTest : public testing::Test {
protected:
    static constexpr std::size_t size = 100; // no power of two

    NatFlow* insert(std::uint32_t n) {
        NatFlow flow = flow_of(n);
        flow.last_seen = now;
        return table.insert(flow, hasher.hash(forward_of(flow)), hasher.hash(reply_of(flow)));
    }

    NatFlow* find_forward(std::uint32_t n) {
        const FlowTuple tuple = forward_of(flow_of(n));
        return table.find_forward(hasher.hash(tuple), tuple);
    }

    NatFlow* find_reply(std::uint32_t n) {
        const FlowTuple tuple = reply_of(flow_of(n));
        return table.find_reply(hasher.hash(tuple), tuple);
    }

    bool is_taken(std::uint32_t n) {
        const FlowTuple tuple = reply_of(flow_of(n));
        return table.is_taken(hasher.hash(tuple), tuple);
    }

    // Everything older than `timeout` ticks.
    void sweep(std::uint16_t timeout) {
        table.sweep(
            size,
            now,
            [&](const NatFlow& flow) { return now.since(flow.last_seen) > timeout; },
            [&](const NatFlow&) { ++retired; },
            [&](const NatFlow&) { ++freed; }
        );
    }

    FlowHasher hasher{FlowHashKey{1, 2, 3}};
    LineMemory memory{NatTable::bytes_for(size)};
    NatTable table{memory.span(), size};
    CoarseTime now{100};
    int retired = 0;
    int freed = 0;
};

TEST_F(NatTableTest, FindsAFlowBothWays) {
    NatFlow* const flow = insert(7);
    ASSERT_NE(flow, nullptr);
    EXPECT_EQ(find_forward(7), flow);
    EXPECT_EQ(find_reply(7), flow);
    EXPECT_EQ(flow->source_port.host(), 2007U);
    EXPECT_EQ(find_forward(8), nullptr);
    EXPECT_EQ(find_reply(8), nullptr);
    FlowTuple udp = forward_of(flow_of(7));
    udp.protocol = 17;
    EXPECT_EQ(table.find_forward(hasher.hash(udp), udp), nullptr) << "the protocol counts";
}

TEST_F(NatTableTest, AFullTableRefusesAndKeeps) {
    for (std::uint32_t n = 0; n < size; ++n) {
        ASSERT_NE(insert(n), nullptr) << n;
    }
    EXPECT_TRUE(table.full());
    EXPECT_EQ(insert(size), nullptr);
    for (std::uint32_t n = 0; n < size; ++n) {
        ASSERT_NE(find_forward(n), nullptr) << n;
        ASSERT_NE(find_reply(n), nullptr) << n;
    }
    table.retire(*find_forward(3));
    EXPECT_EQ(insert(size), nullptr) << "a resting port has its entry still";
}

TEST_F(NatTableTest, APortRestsForAMinuteAfterTheLastPacket) {
    table.retire(*insert(1));
    EXPECT_EQ(find_forward(1), nullptr);
    EXPECT_EQ(find_reply(1), nullptr) << "a late packet finds nothing";
    EXPECT_TRUE(is_taken(1));
    EXPECT_EQ(table.live(), 0U);
    EXPECT_EQ(table.resting(), 1U);
    now.ticks += NatTable::rest_s / CoarseTime::seconds_per_tick;
    sweep(4000);
    EXPECT_TRUE(is_taken(1)) << "the tick may have been nearly over";
    now.ticks += 1;
    sweep(4000);
    EXPECT_FALSE(is_taken(1));
    EXPECT_EQ(freed, 1);
    EXPECT_EQ(retired, 0);
    EXPECT_EQ(table.resting(), 0U);
}

TEST_F(NatTableTest, AnIdleFlowIsRetiredAndItsPortFreedWhenItHasRested) {
    insert(1);
    now.ticks += 20;
    insert(2);
    sweep(15);
    EXPECT_EQ(retired, 1);
    EXPECT_EQ(freed, 0);
    EXPECT_EQ(find_forward(1), nullptr);
    EXPECT_NE(find_forward(2), nullptr);
    now.ticks += 40;
    sweep(15);
    EXPECT_EQ(retired, 2);
    EXPECT_EQ(freed, 2) << "the second one has been quiet for longer than it must rest";
}

// Any order of inserts, ends and sweeps against two maps.
TEST_F(NatTableTest, AgreesWithTheNaiveModel) {
    struct Modelled {
        CoarseTime last_seen;
        bool live = true;
    };

    std::map<std::uint32_t, Modelled> model;
    std::mt19937 random(1);
    constexpr std::uint16_t timeout = 10;
    for (int step = 0; step < 30'000; ++step) {
        const auto n = static_cast<std::uint32_t>(random() % 130);
        const auto known = model.find(n);
        switch (random() % 4) {
        case 0:
        case 1:
            if (known == model.end()) {
                const bool room = model.size() < size;
                ASSERT_EQ(insert(n) != nullptr, room);
                if (room) {
                    model[n] = {.last_seen = now};
                }
            } else if (known->second.live) {
                NatFlow* const flow = find_reply(n);
                ASSERT_NE(flow, nullptr);
                flow->last_seen = now;
                known->second.last_seen = now;
            }
            break;
        case 2:
            if (known != model.end() && known->second.live && random() % 3 == 0) {
                table.retire(*find_forward(n));
                known->second.live = false;
            }
            break;
        default:
            now.ticks = static_cast<std::uint16_t>((now.ticks + (random() % 2)) & CoarseTime::mask);
            sweep(timeout);
            for (auto& [number, flow] : model) {
                flow.live = flow.live && now.since(flow.last_seen) <= timeout;
            }
            std::erase_if(model, [&](const auto& item) {
                const std::uint16_t idle = now.since(item.second.last_seen);
                return !item.second.live && idle >= (NatTable::rest_s / 2) + 1;
            });
        }
        const bool live = model.contains(n) && model[n].live;
        ASSERT_EQ(find_forward(n) != nullptr, live) << step;
        ASSERT_EQ(find_reply(n) != nullptr, live) << step;
        ASSERT_EQ(is_taken(n), model.contains(n)) << step;
        ASSERT_EQ(table.live() + table.resting(), model.size());
    }
}

} // namespace
} // namespace penstock
