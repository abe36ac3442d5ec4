// SPDX-License-Identifier: Apache-2.0
// What ten thousand TCP probes cost: the health checker's loop and a bare epoll connect loop, one
// after the other in one process, rounds in turn, against the same listener in a child process.
// Both connect, learn the outcome and reset, at the same rate; CPU time is the thread's own, which
// includes what the kernel does for it.
//
//   tools/bench probes [--targets N] [--interval MS] [--seconds S] [--rounds N]
//
// Prints both figures and their ratio, and exits with 1 if the ratio is above 1.5.
#include "controlplane/health/health_checker.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/program_options.hpp>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ostream.h>
#include <memory>
#include <netinet/in.h>
#include <optional>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace penstock;
using std::chrono::steady_clock;

constexpr double most_ratio = 1.5;
constexpr unsigned ports = 16; // so that no port runs out of client ports

struct Plan {
    std::size_t targets = 10000;
    unsigned interval_ms = 2000;
    unsigned seconds = 10;
    unsigned rounds = 3;
};

struct Cost {
    double cpu_s = 0;
    std::uint64_t probes = 0;

    [[nodiscard]] double us_each() const { return cpu_s * 1e6 / static_cast<double>(probes); }
};

double thread_cpu_s() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

[[noreturn]] void fail(const char* what) {
    fmt::print(stderr, "bench-probes: {}: errno {}\n", what, errno);
    std::exit(1);
}

/// Accepts and closes until it is killed; all its listeners are open when this returns.
class Listeners {
public:
    Listeners() {
        std::array<int, ports> sockets{};
        for (unsigned i = 0; i < ports; ++i) {
            sockets[i] = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            socklen_t length = sizeof(address);
            if (::bind(sockets[i], reinterpret_cast<sockaddr*>(&address), length) != 0 ||
                ::listen(sockets[i], 4096) != 0 ||
                ::getsockname(sockets[i], reinterpret_cast<sockaddr*>(&address), &length) != 0) {
                fail("listen");
            }
            numbers_[i] = ntohs(address.sin_port);
        }
        child_ = ::fork();
        if (child_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve(sockets);
        }
        for (const int fd : sockets) {
            ::close(fd);
        }
    }

    Listeners(const Listeners&) = delete;
    Listeners& operator=(const Listeners&) = delete;

    ~Listeners() {
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
    }

    /// Loopback has 2^24 addresses: every target has its own.
    [[nodiscard]] BackendKey target(std::size_t index) const {
        const auto host = static_cast<std::uint32_t>(0x7f010000U + index);
        return {
            .address = *IpAddress::parse(
                fmt::format("127.{}.{}.{}", (host >> 16U) & 255U, (host >> 8U) & 255U, host & 255U)
            ),
            .port = numbers_[index % ports]
        };
    }

private:
    [[noreturn]] static void serve(const std::array<int, ports>& sockets) {
        const int epoll = ::epoll_create1(0);
        for (const int fd : sockets) {
            epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
            ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        }
        std::array<epoll_event, ports> events;
        while (true) {
            const int count = ::epoll_wait(epoll, events.data(), ports, -1);
            for (int i = 0; i < count; ++i) {
                int fd = 0;
                while ((fd = ::accept(events[static_cast<std::size_t>(i)].data.fd, nullptr, nullptr)
                       ) >= 0) {
                    ::close(fd);
                }
            }
        }
    }

    std::array<std::uint16_t, ports> numbers_{};
    pid_t child_ = -1;
};

/// What there is to do at least: a connect, its outcome, a reset, at times that are spread evenly.
Cost run_bare(const Plan& plan, const std::vector<SocketAddress>& targets) {
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    const double before = thread_cpu_s();
    const auto begin = steady_clock::now();
    const auto end = begin + std::chrono::seconds(plan.seconds);
    const double rate = static_cast<double>(plan.targets) * 1000.0 / plan.interval_ms;
    std::uint64_t started = 0;
    Cost cost;
    std::array<epoll_event, 128> events;
    for (auto now = begin; now < end; now = steady_clock::now()) {
        const std::chrono::duration<double> passed = now - begin;
        for (const auto due = static_cast<std::uint64_t>(passed.count() * rate); started < due;
             ++started) {
            const SocketAddress& to = targets[started % targets.size()];
            const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
            const linger reset{.l_onoff = 1, .l_linger = 0};
            ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
            if (fd < 0 || (::connect(fd, to.get(), to.length) != 0 && errno != EINPROGRESS)) {
                fail("connect");
            }
            epoll_event event{.events = EPOLLOUT, .data = {.fd = fd}};
            ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        }
        const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 5);
        for (int i = 0; i < count; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            int error = 0;
            socklen_t length = sizeof(error);
            ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
            ::close(fd);
            cost.probes += error == 0 ? 1 : 0;
        }
    }
    cost.cpu_s = thread_cpu_s() - before;
    ::close(epoll);
    return cost;
}

Cost run_checker(const Plan& plan, const std::vector<ProbeTarget>& targets) {
    boost::asio::io_context loop(1);
    HealthChecker checker(loop, {.transition = [](const auto&, const auto&) {}, .report = {}});
    checker.set_targets(targets);
    checker.start();
    // The first probes are all made within a second, the second ones are spread: not what is
    // measured.
    loop.run_for(std::chrono::milliseconds(2 * plan.interval_ms));
    const std::uint64_t made = checker.probes_made();
    const double before = thread_cpu_s();
    loop.run_for(std::chrono::seconds(plan.seconds));
    return {.cpu_s = thread_cpu_s() - before, .probes = checker.probes_made() - made};
}

std::optional<Plan> parse(int argc, char** argv) {
    namespace options = boost::program_options;
    Plan plan;
    options::options_description known("bench-probes");
    known.add_options()("help", "print this")(
        "targets", options::value(&plan.targets)->default_value(plan.targets), "backends"
    )("interval", options::value(&plan.interval_ms)->default_value(plan.interval_ms), "ms")(
        "seconds", options::value(&plan.seconds)->default_value(plan.seconds), "a round"
    )("rounds", options::value(&plan.rounds)->default_value(plan.rounds), "of each");
    options::variables_map given;
    try {
        options::store(options::parse_command_line(argc, argv, known), given);
        options::notify(given);
    } catch (const options::error& error) {
        fmt::print(stderr, "bench-probes: {}\n", error.what());
        return std::nullopt;
    }
    const bool good = plan.targets >= 1 && plan.targets <= 60000 && plan.interval_ms >= 100 &&
                      plan.seconds >= 1 && plan.rounds >= 1;
    if (given.count("help") != 0 || !good) {
        fmt::print("{}", fmt::streamed(known));
        return std::nullopt;
    }
    return plan;
}

} // namespace

int main(int argc, char** argv) {
    const auto plan = parse(argc, argv);
    if (!plan) {
        return 2;
    }
    const Listeners listeners;
    auto probe = std::make_shared<config::ProbeConfig>();
    probe->interval_ms = plan->interval_ms;
    probe->timeout_ms = std::min(probe->timeout_ms, plan->interval_ms);
    std::vector<ProbeTarget> targets;
    std::vector<SocketAddress> addresses;
    for (std::size_t i = 0; i < plan->targets; ++i) {
        const BackendKey key = listeners.target(i);
        targets.push_back({.ref = {.service = {}, .backend = key}, .probe = probe});
        addresses.emplace_back(key);
    }
    fmt::print(
        "{} TCP probes every {} ms for {} s a round\n{:>5} {:>22} {:>22} {:>7}\n",
        plan->targets,
        plan->interval_ms,
        plan->seconds,
        "round",
        "penstock-cp",
        "bare epoll loop",
        "ratio"
    );
    std::vector<double> ratios;
    for (unsigned round = 0; round < plan->rounds; ++round) {
        const Cost bare = run_bare(*plan, addresses);
        const Cost ours = run_checker(*plan, targets);
        if (bare.probes == 0 || ours.probes == 0) {
            fail("no probe was answered");
        }
        ratios.push_back(ours.us_each() / bare.us_each());
        fmt::print(
            "{:>5} {:>8.2f} s {:>8.1f} us {:>8.2f} s {:>8.1f} us {:>7.2f}   {} and {} probes\n",
            round + 1,
            ours.cpu_s,
            ours.us_each(),
            bare.cpu_s,
            bare.us_each(),
            ratios.back(),
            ours.probes,
            bare.probes
        );
    }
    std::ranges::sort(ratios);
    const double median = ratios[ratios.size() / 2];
    fmt::print("median ratio {:.2f}, at most {:.1f} is wanted\n", median, most_ratio);
    return median <= most_ratio ? 0 : 1;
}
