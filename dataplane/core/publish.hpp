// SPDX-License-Identifier: Apache-2.0
// Handing a new immutable value to workers that never wait, and knowing when nobody uses the old
// one: quiescent-state based reclamation.
//
//   publisher                               worker (at every burst / at a quiescent point)
//   current = new            (release)      value = acquire()
//   target = ++epoch         (release)      … uses value until the end of the burst …
//   wait until every worker's               report_quiescent(): seen = epoch
//     seen >= target         (acquire)
//   free old
//
// A worker that reports `seen >= target` has loaded `epoch` after it became target, hence sees the
// new pointer at its next acquire(), and it reports only while it holds no value. So the old one is
// unused. Worked example: epoch 4, worker A seen 4, B seen 4. Publish: epoch 5. A reports 5 at
// once; B is inside a burst with the old value. grace_period_over(5) is false until B's next
// housekeeping reports 5.
//
// Thread rule: one publisher thread calls publish(); each worker calls acquire() and
// report_quiescent() with its own index; any thread may call grace_period_over(). Nobody blocks
// here; the caller decides how to wait. The publisher owns the values and frees them.
#pragma once

#include "dataplane/core/identity.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace penstock {

template <typename Value>
class Publication {
public:
    /// Workers 0 … worker_count - 1 count for grace periods. REQUIRES: worker_count <= max_workers.
    explicit Publication(std::size_t worker_count) : worker_count_(worker_count) {}

    Publication(const Publication&) = delete;
    Publication& operator=(const Publication&) = delete;

    /// Publisher only. Makes `value` current and returns the epoch that ends the previous one's
    /// use.
    [[nodiscard]] std::uint64_t publish(const Value* value) {
        current_.store(value, std::memory_order_release);
        return epoch_.fetch_add(1, std::memory_order_acq_rel) + 1;
    }

    /// True once every worker has passed a quiescent point after `epoch` began.
    [[nodiscard]] bool grace_period_over(std::uint64_t epoch) const {
        for (std::size_t worker = 0; worker < worker_count_; ++worker) {
            if (!has_passed(worker, epoch)) {
                return false;
            }
        }
        return true;
    }

    /// The same of one worker, to name the one that holds up a grace period.
    [[nodiscard]] bool has_passed(std::size_t worker, std::uint64_t epoch) const {
        return seen_[worker].epoch.load(std::memory_order_acquire) >= epoch;
    }

    /// Worker only. Valid until this worker's next report_quiescent(); null before the first
    /// publish().
    [[nodiscard]] const Value* acquire() const { return current_.load(std::memory_order_acquire); }

    /// Worker only. REQUIRES: the worker holds no value from acquire().
    void report_quiescent(std::size_t worker) {
        seen_[worker].epoch.store(
            epoch_.load(std::memory_order_acquire), std::memory_order_release
        );
    }

    /// For a worker that ends: it no longer holds up anybody.
    void report_gone(std::size_t worker) {
        seen_[worker].epoch.store(UINT64_MAX, std::memory_order_release);
    }

private:
    struct alignas(64) Seen {
        std::atomic<std::uint64_t> epoch{0}; // writer: its worker; readers: whoever waits
    };

    alignas(64) std::atomic<const Value*> current_{nullptr}; // writer: publisher; readers: workers
    std::atomic<std::uint64_t> epoch_{0};                    // writer: publisher; readers: workers
    std::size_t worker_count_;
    std::array<Seen, max_workers> seen_{};
};

} // namespace penstock
