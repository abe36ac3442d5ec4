// SPDX-License-Identifier: Apache-2.0
// The event loop of the main lcore: file descriptors, timers, SIGTERM and SIGINT over one epoll.
//
// Thread rule: belongs to the thread that runs it; only stop() may be called from others. Handlers
// run one after the other and must not block longer than 1 ms: long work goes to the WorkThread or
// in steps. A handler may watch, forget and cancel anything, itself too.
#pragma once

#include "dataplane/api/refusal.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace penstock {

class MainLoop {
public:
    using Clock = std::chrono::steady_clock;
    using EventHandler = std::function<void(std::uint32_t events)>; ///< EPOLLIN, EPOLLOUT, …
    using TimerHandler = std::function<void()>;

    /// Names a timer; the default names none.
    struct Timer {
        Clock::time_point due{};
        std::uint64_t number = 0;
        friend auto operator<=>(const Timer&, const Timer&) = default;
    };

    /// Blocks SIGTERM and SIGINT in the calling thread and takes them over. Threads started later
    /// inherit that; earlier ones must have blocked them themselves.
    [[nodiscard]] static std::expected<std::unique_ptr<MainLoop>, Refusal> create();

    MainLoop(const MainLoop&) = delete;
    MainLoop& operator=(const MainLoop&) = delete;
    ~MainLoop();

    /// Calls `handler` whenever one of `events` is there (level-triggered). The loop does not own
    /// `fd`; forget() it before closing it. REQUIRES: not watched yet.
    [[nodiscard]] std::expected<void, Refusal>
    watch(int fd, std::uint32_t events, EventHandler handler);

    /// REQUIRES: watched.
    void change(int fd, std::uint32_t events);
    void forget(int fd);

    /// Calls `handler` once, not before `delay` has passed; 0 ms is the next turn.
    Timer call_after(std::chrono::milliseconds delay, TimerHandler handler);

    /// Does nothing if it has fired or names none.
    void cancel(const Timer& timer);

    /// Returns after SIGTERM, SIGINT or stop().
    void run();

    /// Any thread.
    void stop();

    /// The signal that ended run(), 0 if it was stop().
    [[nodiscard]] int stop_signal() const { return stop_signal_; }

    /// The longest time one handler took: the promise of 1 ms, measured.
    [[nodiscard]] Clock::duration longest_handler() const { return longest_handler_; }

private:
    struct Watch {
        std::uint64_t number = 0; ///< tells a reused fd from the one an event was for
        EventHandler handler;
    };

    MainLoop() = default;
    [[nodiscard]] int wait_ms() const;
    void run_timers();
    void run_handler(const std::function<void()>& handler);

    int epoll_fd_ = -1;
    int signal_fd_ = -1;
    int stop_fd_ = -1;
    bool stopping_ = false;
    int stop_signal_ = 0;
    std::uint64_t next_number_ = 1;
    std::map<int, std::shared_ptr<Watch>> watches_;
    std::map<Timer, TimerHandler> timers_;
    Clock::duration longest_handler_{};
};

} // namespace penstock
