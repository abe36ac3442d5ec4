// SPDX-License-Identifier: Apache-2.0
// penstock-decap: attaches the decapsulator of bpf/ to an interface of a backend server and watches
// over it.
#include "bpf/decapsulator.hpp"
#include "bpf/route_socket.hpp"
#include "tools/decap/interface_lock.hpp"
#include "tools/decap/options.hpp"
#include "tools/decap/report.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <net/if.h>
#include <unistd.h>

namespace penstock::decap {

namespace {

constexpr int exit_done = 0;
constexpr int exit_refused = 1;
constexpr int exit_usage = 2;
constexpr std::chrono::milliseconds default_interval{5000};

int refuse(const bpf::BpfError& error) {
    fmt::print(stderr, "penstock-decap: {}\n", error.text());
    return exit_refused;
}

void warn(std::string_view text) {
    fmt::print(stderr, "penstock-decap: warning: {}\n", text);
}

// A reader of our output that went away is no reason to stop decapsulating: errors of stdout are
// ignored.
void print_line(const std::string& line) {
    std::fputs((line + "\n").c_str(), stdout);
    std::fflush(stdout);
}

bpf::BpfResult<unsigned int> find_interface(const std::string& name) {
    const unsigned int index = ::if_nametoindex(name.c_str());
    if (index == 0)
        return bpf::BpfFailure(
            {fmt::format("there is no interface '{}' in this network namespace", name),
             "see `ip link`"}
        );
    return index;
}

// A VIP that the kernel does not hold is the commonest way to get no traffic: it drops what it is
// handed.
void warn_of_missing_vips(std::span<const IpPrefix> vips) {
    auto routes = bpf::RouteSocket::open();
    if (!routes)
        return warn(routes.error().text());
    for (const IpPrefix& vip : vips) {
        // Of a prefix, its first address stands for all.
        const auto route = routes->ask_route(vip.address);
        if (!route)
            return warn(route.error().text());
        if (*route && (*route)->is_local)
            continue;
        const std::string_view command = vip.address.is_ipv4() ? "ip" : "ip -6";
        const std::string remedy =
            vip.host_bits == 0
                ? fmt::format("{} address add {}/{} dev lo", command, vip.to_string(), vip.length())
                : fmt::format("{} route add local {} dev lo", command, vip.to_string());
        warn(fmt::format(
            "this host does not hold {}, and will drop its packets: `{}`", vip.to_string(), remedy
        ));
    }
}

// Prints counters while the decapsulator runs.
class Watch {
public:
    Watch(const Options& options, bpf::Decapsulator& decapsulator)
        : options_(options),
          decapsulator_(decapsulator),
          prints_(options.json || options.interval || ::isatty(STDOUT_FILENO) == 1),
          last_time_(std::chrono::steady_clock::now()) {}

    [[nodiscard]] bpf::BpfResult<void> print(std::string_view event, bool always) {
        if (!always && !prints_)
            return {};
        auto counters = decapsulator_.read_counters();
        if (!counters)
            return std::unexpected(counters.error());
        const auto now = std::chrono::steady_clock::now();
        const Report report{
            event, options_.interface, decapsulator_, *counters, std::chrono::system_clock::now()
        };
        // The first line has no line before it to measure a rate from.
        const std::chrono::duration<double> elapsed =
            has_printed_ ? now - last_time_ : std::chrono::steady_clock::duration::zero();
        print_line(options_.json ? to_json(report) : to_text(report, last_, elapsed));
        last_ = *counters;
        last_time_ = now;
        has_printed_ = true;
        return {};
    }

private:
    const Options& options_;
    bpf::Decapsulator& decapsulator_;
    bool prints_;
    bool has_printed_ = false;
    bpf::DecapsulatorCounters last_;
    std::chrono::steady_clock::time_point last_time_;
};

// Our program may be taken off by anybody with the right to; then there is nothing left to watch.
bpf::BpfResult<void> check_still_attached(unsigned int index, std::uint32_t program_id) {
    auto found = bpf::find_decapsulator(index);
    if (found && found->program_id() == program_id)
        return {};
    return bpf::BpfFailure(
        {fmt::format("somebody took the decapsulator off {}", bpf::interface_name(index)),
         "start it again, once it is clear who did (`bpftool net`, `ip link`)"}
    );
}

timespec to_timespec(std::chrono::milliseconds duration) {
    return {
        .tv_sec = static_cast<time_t>(duration.count() / 1000),
        .tv_nsec = static_cast<long>(duration.count() % 1000) * 1'000'000,
    };
}

// Returns at SIGINT or SIGTERM; the caller has blocked them.
bpf::BpfResult<void> watch_until_signal(
    const Options& options,
    unsigned int index,
    bpf::Decapsulator& decapsulator,
    Watch& watch,
    const sigset_t& signals
) {
    const timespec interval = to_timespec(options.interval.value_or(default_interval));
    for (;;) {
        if (::sigtimedwait(&signals, nullptr, &interval) > 0)
            return {};
        if (errno == EINTR)
            continue;
        if (auto still = check_still_attached(index, decapsulator.program_id()); !still)
            return still;
        if (auto printed = watch.print("counters", false); !printed)
            return printed;
    }
}

void print_attached(const Options& options, const bpf::Attached& attached) {
    if (attached.replaced_leftover)
        warn("took the place of a decapsulator that a killed process had left attached");
    if (!attached.native_refusal.empty())
        warn(fmt::format(
            "generic XDP, which is slower: {} refused native: {}",
            options.interface,
            attached.native_refusal
        ));
    if (!options.json)
        print_line(fmt::format(
            "penstock-decap: attached to {} ({} XDP) for {}; Ctrl-C detaches",
            options.interface,
            bpf::attach_mode_name(attached.decapsulator.mode()),
            list_vips(attached.decapsulator)
        ));
}

int run(const Options& options, unsigned int index) {
    // Blocked before anything is attached, so that no signal can leave the program behind.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0 ||
        std::signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return refuse({"cannot set up signals", "report this: it cannot happen"});

    auto lock = InterfaceLock::acquire(index);
    if (!lock)
        return refuse(lock.error());
    auto attached =
        bpf::attach_decapsulator(index, {options.vips, options.gue_ports}, options.policy);
    if (!attached)
        return refuse(attached.error());
    print_attached(options, *attached);
    warn_of_missing_vips(options.vips);

    Watch watch(options, attached->decapsulator);
    auto watched = watch.print("attached", options.json);
    if (watched)
        watched = watch_until_signal(options, index, attached->decapsulator, watch, signals);
    if (!watched)
        return refuse(watched.error());
    auto detached = bpf::detach_decapsulator(index);
    if (!detached)
        return refuse(detached.error());
    // The maps outlive the attachment, so these are the last words on every packet.
    if (auto printed = watch.print("detached", true); !printed)
        return refuse(printed.error());
    return exit_done;
}

int print_status(const Options& options, unsigned int index) {
    auto decapsulator = bpf::find_decapsulator(index);
    if (!decapsulator)
        return refuse(decapsulator.error());
    Watch watch(options, *decapsulator);
    if (!options.json)
        print_line(fmt::format(
            "penstock-decap: {} XDP on {} for {}",
            bpf::attach_mode_name(decapsulator->mode()),
            options.interface,
            list_vips(*decapsulator)
        ));
    if (auto printed = watch.print("status", true); !printed)
        return refuse(printed.error());
    return exit_done;
}

int detach(const Options& options, unsigned int index) {
    auto lock = InterfaceLock::acquire(index);
    if (!lock)
        return refuse(lock.error());
    auto detached = bpf::detach_decapsulator(index);
    if (!detached)
        return refuse(detached.error());
    print_line(
        *detached == bpf::Leftover::detached
            ? fmt::format("penstock-decap: detached from {}", options.interface)
            : fmt::format("penstock-decap: {} has no XDP program", options.interface)
    );
    return exit_done;
}

int act(const Options& options) {
    if (options.action == Action::help) {
        fmt::print("{}", help_text());
        return exit_done;
    }
    if (options.action == Action::version) {
        fmt::print("penstock-decap {}\n", PENSTOCK_VERSION);
        return exit_done;
    }
    auto index = find_interface(options.interface);
    if (!index)
        return refuse(index.error());
    switch (options.action) {
    case Action::status:
        return print_status(options, *index);
    case Action::detach:
        return detach(options, *index);
    default:
        return run(options, *index);
    }
}

} // namespace

} // namespace penstock::decap

int main(int count, char** words) {
    using namespace penstock::decap;
    try {
        const auto options = parse_options(count, words);
        if (!options) {
            fmt::print(stderr, "penstock-decap: {}; see --help\n", options.error());
            return exit_usage;
        }
        return act(*options);
    } catch (const std::exception& error) {
        // Out of memory, at most: nothing of ours throws.
        fmt::print(stderr, "penstock-decap: {}; see `dmesg` and free some memory\n", error.what());
        return exit_refused;
    }
}
