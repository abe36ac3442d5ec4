// SPDX-License-Identifier: Apache-2.0
// Other threads look into a flow table while its owner fills it, moves entries and erases.
#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/line_memory.hpp"

#include <atomic>
#include <chrono>
#include <gtest/gtest.h>
#include <latch>
#include <random>
#include <thread>
#include <vector>

namespace penstock {
namespace {

// The backend says which flow it is, so that a reader can tell a wrong answer from a right one.
BackendId backend_of(std::uint64_t hash) {
    return {static_cast<std::uint16_t>(1 + (hash % 16383))};
}

struct Reading {
    std::uint64_t found = 0;
    std::uint64_t missed = 0;
    std::uint64_t wrong = 0;
};

Reading read_until(
    const FlowTable& table,
    const std::vector<std::uint64_t>& lasting,
    const std::atomic<std::size_t>& placed,
    const std::atomic<bool>& stop
) {
    Reading reading;
    std::mt19937_64 random(9);
    while (!stop.load(std::memory_order_acquire)) {
        const std::size_t count = placed.load(std::memory_order_acquire);
        for (int i = 0; i < 64 && count > 0; ++i) {
            const FlowHash hash{lasting[random() % count]};
            BackendId seen = null_backend;
            const auto* slot = table.find(hash, [&](BackendId id) {
                seen = id;
                return true;
            });
            reading.missed += slot == nullptr ? 1U : 0U;
            reading.found += slot != nullptr ? 1U : 0U;
            reading.wrong += slot != nullptr && seen != backend_of(hash.value) ? 1U : 0U;
        }
        std::this_thread::yield();
    }
    return reading;
}

TEST(FlowTableReaders, NeverMissAnEntryThatIsMoved) {
    Reading sum;
    std::uint64_t moved = 0;
    for (unsigned round = 0; round < 20; ++round) {
        LineMemory memory(FlowTable::bytes_for(1000));
        FlowTable table(memory.span());
        std::mt19937_64 random(round);
        std::vector<std::uint64_t> lasting(table.capacity() * 9 / 10);
        for (auto& hash : lasting) {
            hash = random();
        }
        std::atomic<std::size_t> placed{0};
        std::atomic<bool> stop{false};
        std::array<Reading, 2> readings;
        std::vector<std::thread> readers;
        std::latch all_run(readings.size() + 1); // on a busy machine they would come too late
        for (Reading& reading : readings) {
            readers.emplace_back([&] {
                all_run.arrive_and_wait();
                reading = read_until(table, lasting, placed, stop);
            });
        }
        all_run.arrive_and_wait();
        std::size_t in_alternate_when_placed = 0;
        for (std::size_t i = 0; i < lasting.size(); ++i) {
            const FlowHash hash{lasting[i]};
            auto* slot = table.insert(hash, backend_of(hash.value), FlowState::tcp_syn, {0});
            if (slot == nullptr) {
                lasting[i] = lasting[0]; // no room: readers look for another one
            } else {
                in_alternate_when_placed += FlowTable::read(*slot).in_alternate ? 1U : 0U;
                FlowTable::update(*slot, backend_of(hash.value), FlowState::tcp_established, {1});
            }
            placed.store(i + 1, std::memory_order_release);
            if (auto* passing = table.insert({random()}, {1}, FlowState::udp, {0})) {
                table.erase(*passing);
            }
        }
        // On a busy machine the readers may not have had the CPU yet.
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
        while (std::chrono::steady_clock::now() < end) {
            std::this_thread::yield();
        }
        stop.store(true, std::memory_order_release);
        for (std::thread& reader : readers) {
            reader.join();
        }
        std::size_t in_alternate = 0;
        table.sweep(table.bucket_count(), [&](const FlowEntry& entry) {
            in_alternate += entry.in_alternate ? 1U : 0U;
            return false;
        });
        moved += in_alternate - in_alternate_when_placed;
        for (const Reading& reading : readings) {
            sum.found += reading.found;
            sum.missed += reading.missed;
            sum.wrong += reading.wrong;
        }
    }
    EXPECT_GT(sum.found, 1000U);
    EXPECT_EQ(sum.missed, 0U);
    EXPECT_EQ(sum.wrong, 0U);
    EXPECT_GT(moved, 100U) << "nothing was moved, so nothing was tried";
}

} // namespace
} // namespace penstock
