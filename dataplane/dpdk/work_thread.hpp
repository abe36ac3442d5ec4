// SPDX-License-Identifier: Apache-2.0
// The builder thread: whatever takes longer than the main lcore may block — decoding and encoding
// large messages, compiling snapshots, freeing them — in order, one after the other. Results come
// back to the loop by eventfd.
//
// Thread rule: run() is called on the loop's thread. `work` runs on the builder thread and may
// touch only what it was given or what only the builder thread touches; `done` runs on the loop's
// thread.
#pragma once

#include "dataplane/api/refusal.hpp"
#include "dataplane/dpdk/main_loop.hpp"

#include <condition_variable>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace penstock {

class WorkThread {
public:
    using Function = std::function<void()>;

    [[nodiscard]] static std::expected<std::unique_ptr<WorkThread>, Refusal> create(MainLoop& loop);

    WorkThread(const WorkThread&) = delete;
    WorkThread& operator=(const WorkThread&) = delete;

    /// Finishes the work in hand, forgets the rest.
    ~WorkThread();

    /// Appends work; `done` follows on the loop.
    void run(Function work, Function done);

private:
    struct Job {
        Function work;
        Function done;
    };

    WorkThread(MainLoop& loop, int event_fd);
    void serve();
    void collect();

    MainLoop& loop_;
    int event_fd_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Job> waiting_;   // guarded by mutex_
    std::deque<Function> done_; // guarded by mutex_
    bool stopping_ = false;     // guarded by mutex_
    std::thread thread_;        // last: it uses all of the above
};

} // namespace penstock
