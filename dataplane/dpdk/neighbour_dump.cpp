// SPDX-License-Identifier: Apache-2.0
// "Everything again" of neighbour.hpp: the lists of neighbours and addresses, at the start and after a loss.
#include "dataplane/dpdk/neighbour.hpp"

#include <cerrno>
#include <chrono>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <system_error>

namespace penstock {
namespace {

constexpr std::chrono::milliseconds dump_retry_delay{500};
constexpr std::chrono::milliseconds dump_limit{5000};

} // namespace

std::expected<void, Refusal> Neighbours::read_kernel() {
    is_dump_due_ = true;
    const auto deadline = MainLoop::Clock::now() + dump_limit;
    while (neighbour_dump_ != 0 || address_dump_ != 0 || is_dump_due_) {
        try_dump(true);
        struct pollfd entry{.fd = requests_->fd(), .events = POLLIN, .revents = 0};
        if (MainLoop::Clock::now() > deadline) {
            return std::unexpected(Refusal{
                "netlink",
                "the kernel did not list its neighbours and addresses within 5 s",
                "see the kernel log",
            });
        }
        if (::poll(&entry, 1, 100) > 0) {
            receive(*requests_);
        }
    }
    return {};
}

void Neighbours::take(const MessagesLost&) {
    if (!is_dump_due_) {
        spdlog::warn("netlink messages were lost: asking the kernel for everything again");
    }
    require_dump(); // one that runs already may miss what was lost
}

void Neighbours::require_dump() {
    is_dump_due_ = true;
    if (dump_timer_ == MainLoop::Timer{}) {
        dump_timer_ = loop_.call_after(dump_retry_delay, [this] {
            dump_timer_ = {};
            try_dump(true);
        });
    }
}

/// `is_dry`: no change from before a loss is still to be taken in, or we have waited long enough.
void Neighbours::try_dump(bool is_dry) {
    const auto is_running = [this] { return neighbour_dump_ != 0 || address_dump_ != 0; };
    if (is_running() && MainLoop::Clock::now() > dump_limit_) {
        end_dump(ETIMEDOUT); // its end was lost
    }
    if (!is_dump_due_) {
        return;
    }
    if (!is_dry || is_running()) {
        require_dump();
        return;
    }
    neighbour_dump_ = requests_->dump_neighbours();
    if (neighbour_dump_ == 0) {
        require_dump();
        return;
    }
    is_dump_due_ = false;
    dump_limit_ = MainLoop::Clock::now() + dump_limit;
    heard_hops_.clear();
    for (auto& [key, hop] : hops_) {
        hop.is_seen = false;
    }
    routes_.forget_asked();
    asked_hops_.clear();
    reroute_all();
}

void Neighbours::end_dump(int error) {
    if (error != 0) {
        spdlog::warn(
            "netlink: the kernel's list of {} is not whole, asking again: {}",
            neighbour_dump_ != 0 ? "neighbours" : "addresses",
            std::generic_category().message(error)
        );
        neighbour_dump_ = 0;
        address_dump_ = 0;
        addresses_.break_off_list();
        require_dump();
    } else if (neighbour_dump_ != 0) {
        end_neighbour_dump();
    } else {
        end_address_dump();
    }
}

void Neighbours::end_neighbour_dump() {
    neighbour_dump_ = 0;
    for (auto it = hops_.begin(); it != hops_.end();) {
        auto& [key, hop] = *it;
        if (!hop.is_seen && hop.destinations.empty()) {
            it = hops_.erase(it);
            continue;
        }
        if (!hop.is_seen) {
            // Gone, and its removal was lost: its MAC is still the best guess until the kernel
            // knows better.
            hop.is_managed = false;
            hop.is_ours = false;
            manage(key, hop);
            update(hop);
        }
        ++it;
    }
    // The kernel runs one dump a socket at a time.
    address_dump_ = requests_->dump_addresses();
    if (address_dump_ == 0) {
        require_dump();
    } else {
        addresses_.begin_list();
    }
}

void Neighbours::end_address_dump() {
    address_dump_ = 0;
    addresses_.end_list();
    check_source();
}

} // namespace penstock
