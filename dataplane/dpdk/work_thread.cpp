// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/work_thread.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace penstock {

std::expected<std::unique_ptr<WorkThread>, Refusal> WorkThread::create(MainLoop& loop) {
    const int event_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (event_fd < 0) {
        return std::unexpected(Refusal{
            "builder thread",
            fmt::format("cannot make an eventfd: {}", std::generic_category().message(errno)),
            "raise the limit of open files (ulimit -n)",
        });
    }
    std::unique_ptr<WorkThread> self(new WorkThread(loop, event_fd));
    WorkThread& thread = *self;
    auto watched = loop.watch(event_fd, EPOLLIN, [&thread](std::uint32_t) { thread.collect(); });
    if (!watched) {
        return std::unexpected(watched.error());
    }
    return self;
}

WorkThread::WorkThread(MainLoop& loop, int event_fd)
    : loop_(loop), event_fd_(event_fd), thread_([this] { serve(); }) {
    pthread_setname_np(thread_.native_handle(), "builder");
}

WorkThread::~WorkThread() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        waiting_.clear();
    }
    wake_.notify_one();
    thread_.join();
    loop_.forget(event_fd_);
    ::close(event_fd_);
}

void WorkThread::run(Function work, Function done) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back({std::move(work), std::move(done)});
    }
    wake_.notify_one();
}

void WorkThread::serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (stopping_) {
            return;
        }
        Job job = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        job.work();
        job.work = nullptr; // what it holds is freed here, not on the main lcore
        lock.lock();
        done_.push_back(std::move(job.done));
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(event_fd_, &one, sizeof(one));
    }
}

void WorkThread::collect() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t read = ::read(event_fd_, &count, sizeof(count));
    std::deque<Function> done;
    {
        const std::lock_guard lock(mutex_);
        done.swap(done_);
    }
    for (const Function& function : done) {
        function();
    }
}

} // namespace penstock
