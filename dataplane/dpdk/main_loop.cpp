// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/main_loop.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>

namespace penstock {
namespace {

std::unexpected<Refusal> refuse(const char* what) {
    return std::unexpected(Refusal{
        "main loop",
        fmt::format("{}: {}", what, std::generic_category().message(errno)),
        "raise the limit of open files (ulimit -n)",
    });
}

std::uint64_t pack(int fd, std::uint64_t number) {
    return (number << 32U) | static_cast<std::uint32_t>(fd);
}

} // namespace

MainLoop::~MainLoop() {
    for (const int fd : {signal_fd_, stop_fd_, epoll_fd_}) {
        if (fd >= 0) {
            ::close(fd);
        }
    }
}

std::expected<std::unique_ptr<MainLoop>, Refusal> MainLoop::create() {
    std::unique_ptr<MainLoop> loop(new MainLoop);
    loop->epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd_ < 0) {
        return refuse("cannot make an epoll");
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    loop->signal_fd_ = ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    loop->stop_fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->signal_fd_ < 0 || loop->stop_fd_ < 0) {
        return refuse("cannot make a signalfd and an eventfd");
    }
    MainLoop& self = *loop;
    auto watched = self.watch(self.signal_fd_, EPOLLIN, [&self](std::uint32_t) {
        signalfd_siginfo info{};
        if (::read(self.signal_fd_, &info, sizeof(info)) == sizeof(info)) {
            self.stop_signal_ = static_cast<int>(info.ssi_signo);
            self.stopping_ = true;
        }
    });
    if (watched) {
        watched = self.watch(self.stop_fd_, EPOLLIN, [&self](std::uint32_t) {
            std::uint64_t count = 0;
            self.stopping_ |= ::read(self.stop_fd_, &count, sizeof(count)) == sizeof(count);
        });
    }
    if (!watched) {
        return std::unexpected(watched.error());
    }
    return loop;
}

std::expected<void, Refusal> MainLoop::watch(int fd, std::uint32_t events, EventHandler handler) {
    // 32 bits of the number travel with the event: enough to tell neighbours in time apart.
    const std::uint64_t number = next_number_++ & 0xffffffffU;
    struct epoll_event event{};
    event.events = events;
    event.data.u64 = pack(fd, number);
    if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
        return refuse("cannot watch a file descriptor");
    }
    watches_[fd] = std::make_shared<Watch>(Watch{number, std::move(handler)});
    return {};
}

void MainLoop::change(int fd, std::uint32_t events) {
    struct epoll_event event{};
    event.events = events;
    event.data.u64 = pack(fd, watches_.at(fd)->number);
    if (::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) != 0) {
        std::abort(); // a watched descriptor was closed behind our back
    }
}

void MainLoop::forget(int fd) {
    watches_.erase(fd);
    ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
}

MainLoop::Timer MainLoop::call_after(std::chrono::milliseconds delay, TimerHandler handler) {
    const Timer timer{Clock::now() + delay, next_number_++};
    timers_.emplace(timer, std::move(handler));
    return timer;
}

void MainLoop::cancel(const Timer& timer) {
    timers_.erase(timer);
}

void MainLoop::stop() {
    const std::uint64_t one = 1;
    // Fails only if the counter is full, and then the loop has been told already.
    [[maybe_unused]] const ssize_t written = ::write(stop_fd_, &one, sizeof(one));
}

int MainLoop::wait_ms() const {
    if (timers_.empty()) {
        return -1;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first.due - Clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

void MainLoop::run_handler(const std::function<void()>& handler) {
    const auto begin = Clock::now();
    handler();
    longest_handler_ = std::max(longest_handler_, Clock::now() - begin);
}

void MainLoop::run_timers() {
    // Only what is due now: a timer that sets itself anew at 0 ms must not starve the descriptors.
    const auto now = Clock::now();
    const std::uint64_t newest = next_number_;
    while (!timers_.empty() && !stopping_) {
        const auto first = timers_.begin();
        if (first->first.due > now || first->first.number >= newest) {
            return;
        }
        const TimerHandler handler = std::move(first->second);
        timers_.erase(first);
        run_handler(handler);
    }
}

void MainLoop::run() {
    std::array<struct epoll_event, 64> events{};
    while (!stopping_) {
        const int count =
            ::epoll_wait(epoll_fd_, events.data(), static_cast<int>(events.size()), wait_ms());
        if (count < 0 && errno != EINTR) {
            std::abort(); // our own epoll is gone
        }
        for (int i = 0; i < count && !stopping_; ++i) {
            const struct epoll_event& event = events[static_cast<std::size_t>(i)];
            const int fd = static_cast<int>(event.data.u64 & 0xffffffffU);
            const auto found = watches_.find(fd);
            if (found == watches_.end() || found->second->number != event.data.u64 >> 32U) {
                continue; // forgotten by a handler before it in this batch
            }
            const std::shared_ptr<Watch> watch = found->second; // it may forget itself
            run_handler([&] { watch->handler(event.events); });
        }
        run_timers();
    }
    stopping_ = false;
}

} // namespace penstock
