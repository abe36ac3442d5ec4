// SPDX-License-Identifier: Apache-2.0
// One publisher and several workers at full speed, with or without the wait for the grace period:
// the test runs it with, its negative control without, and nothing else differs.
#pragma once

#include "dataplane/core/publish.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace penstock::test {

/// Plain members: whoever reads them while the publisher frees them races.
struct PublishedValue {
    std::uint64_t generation;
    std::uint64_t twice;
};

struct PublicationOutcome {
    std::uint64_t reads = 0;
    std::uint64_t torn = 0; ///< values whose members did not belong together
    std::uint64_t backwards = 0;
};

inline PublicationOutcome work_on(
    Publication<PublishedValue>& publication, std::size_t worker, const std::atomic<bool>& stop
) {
    PublicationOutcome outcome;
    std::uint64_t last = 0;
    while (!stop.load(std::memory_order_acquire)) {
        for (int burst = 0; burst < 8; ++burst) {
            const PublishedValue* const value = publication.acquire();
            if (value == nullptr) {
                continue;
            }
            ++outcome.reads;
            outcome.torn += value->twice == 2 * value->generation ? 0U : 1U;
            outcome.backwards += value->generation >= last ? 0U : 1U;
            last = value->generation;
        }
        publication.report_quiescent(worker);
        std::this_thread::yield();
    }
    publication.report_gone(worker);
    return outcome;
}

inline PublicationOutcome
run_publication(std::size_t workers, std::uint64_t publications, bool wait_for_grace) {
    Publication<PublishedValue> publication(workers);
    std::atomic<bool> stop{false};
    std::vector<PublicationOutcome> outcomes(workers);
    std::vector<std::thread> threads;
    for (std::size_t worker = 0; worker < workers; ++worker) {
        threads.emplace_back([&, worker] { outcomes[worker] = work_on(publication, worker, stop); }
        );
    }
    std::unique_ptr<PublishedValue> current;
    for (std::uint64_t generation = 1; generation <= publications; ++generation) {
        auto next = std::make_unique<PublishedValue>(PublishedValue{generation, 2 * generation});
        const std::uint64_t epoch = publication.publish(next.get());
        while (wait_for_grace && !publication.grace_period_over(epoch)) {
            std::this_thread::yield();
        }
        if (!wait_for_grace) {
            std::this_thread::yield(); // let a worker see some of them
        }
        current = std::move(next); // frees the previous one
    }
    stop.store(true, std::memory_order_release);
    for (std::thread& thread : threads) {
        thread.join();
    }
    PublicationOutcome sum;
    for (const PublicationOutcome& one : outcomes) {
        sum.reads += one.reads;
        sum.torn += one.torn;
        sum.backwards += one.backwards;
    }
    return sum;
}

} // namespace penstock::test
