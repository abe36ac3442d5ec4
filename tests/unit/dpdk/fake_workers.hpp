// SPDX-License-Identifier: Apache-2.0
// Threads that use a Publication as workers do, without DPDK: acquire, look into the snapshot,
// report.
//
// Thread rule: created and destroyed by one thread; stall() and the observers from any.
#pragma once

#include "dataplane/api/statistics.hpp"
#include "dataplane/core/publish.hpp"
#include "dataplane/core/snapshot.hpp"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace penstock {

class FakeWorkers {
public:
    FakeWorkers(Publication<Snapshot>& publication, StatisticsWriter& statistics)
        : publication_(publication), statistics_(statistics) {
        for (std::size_t i = 0; i < statistics.worker_count(); ++i) {
            threads_.emplace_back([this, i] { work(i); });
        }
    }

    ~FakeWorkers() {
        stalled_.store(false);
        stopping_.store(true);
        for (std::thread& thread : threads_) {
            thread.join();
        }
    }

    /// While true, worker 0 holds the snapshot it has and reports nothing.
    void stall(bool on) { stalled_.store(on); }

private:
    void work(std::size_t index) {
        WorkerCounters& counters = *statistics_.worker(index).worker;
        while (!stopping_.load()) {
            const Snapshot* const snapshot = publication_.acquire();
            // Reads freed memory if the grace period is wrong; ASan says so.
            const std::uint64_t generation = snapshot == nullptr ? 0 : snapshot->generation();
            while (index == 0 && stalled_.load()) {
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
            counters.generation.set(snapshot == nullptr ? 0 : snapshot->generation());
            counters.polls.add(generation == 0 ? 0 : 1);
            counters.heartbeat_ns.set(static_cast<std::uint64_t>(
                std::chrono::nanoseconds{std::chrono::steady_clock::now().time_since_epoch()}.count(
                )
            ));
            publication_.report_quiescent(index);
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
        publication_.report_gone(index);
    }

    Publication<Snapshot>& publication_;
    StatisticsWriter& statistics_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> stalled_{false};
    std::vector<std::thread> threads_;
};

} // namespace penstock
