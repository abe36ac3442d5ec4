// SPDX-License-Identifier: Apache-2.0
// Targets, their routes and the results; the rest of the class is in neighbour_hops.cpp and neighbour_dump.cpp.
#include "dataplane/dpdk/neighbour.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace penstock {
namespace {

// Sizes of steps, so that each stays well below 1 ms.
constexpr std::size_t targets_a_step = 256;
constexpr std::size_t drops_a_step = 128;

constexpr std::chrono::milliseconds reroute_delay{50}; // routes change in bunches
constexpr std::chrono::milliseconds retry_delay{5000};

// The kernel gives up on a neighbour after 3 s (mcast_solicit, retrans_time_ms).
constexpr std::chrono::milliseconds hold_limit{5000};

constexpr std::size_t entries = max_backends;

} // namespace

Neighbours::Neighbours(MainLoop& loop, NextHopTable& next_hops)
    : loop_(loop),
      next_hops_(next_hops),
      marks_(entries),
      destination_of_(entries),
      states_(entries) {}

std::expected<std::unique_ptr<Neighbours>, Refusal> Neighbours::create(
    MainLoop& loop,
    std::span<const PortDescription> ports,
    std::span<const config::NeighbourConfig> statics,
    NextHopTable& next_hops
) {
    std::unique_ptr<Neighbours> self(new Neighbours(loop, next_hops));
    for (const config::NeighbourConfig& entry : statics) {
        const auto port = std::ranges::find(ports, entry.port, &PortDescription::name);
        if (port == ports.end()) {
            return std::unexpected(Refusal{
                "[[dataplane.neighbour]] " + entry.address.to_string(),
                fmt::format("there is no port {}", entry.port),
                "name one of [[dataplane.port]]",
            });
        }
        self->statics_[entry.address] = NextHop{entry.mac, port->id};
    }
    if (auto opened = self->open(ports); !opened) {
        return std::unexpected(opened.error());
    }
    return self;
}

std::expected<void, Refusal> Neighbours::open(std::span<const PortDescription> ports) {
    for (const PortDescription& port : ports) {
        if (port.ifindex) {
            ports_[*port.ifindex] = port.id;
            addresses_.follow(*port.ifindex);
        }
    }
    if (ports_.empty()) {
        return {};
    }
    // Subscribed before the dump, so that no change falls between them.
    auto changes = Netlink::open_for_events();
    auto requests = Netlink::open_for_requests();
    if (!changes || !requests) {
        return std::unexpected(changes ? requests.error() : changes.error());
    }
    changes_ = std::move(*changes);
    requests_ = std::move(*requests);
    if (auto read = read_kernel(); !read) {
        return read;
    }
    for (Netlink* const netlink : {requests_.get(), changes_.get()}) {
        auto watched = loop_.watch(netlink->fd(), EPOLLIN, [this, netlink](std::uint32_t) {
            receive(*netlink);
        });
        if (!watched) {
            return watched;
        }
    }
    retry_timer_ = loop_.call_after(retry_delay, [this] { retry_failed(); });
    return {};
}

Neighbours::~Neighbours() {
    for (const MainLoop::Timer& timer :
         {step_timer_, reroute_timer_, retry_timer_, dump_timer_, hold_timer_}) {
        loop_.cancel(timer);
    }
    if (!uses_kernel()) {
        return;
    }
    loop_.forget(requests_->fd());
    loop_.forget(changes_->fd());
    for (const auto& [key, hop] : hops_) {
        if (hop.is_ours) {
            // One that is gone already, or whose interface is, needs no removal.
            (void)requests_->remove_neighbour(key.first, key.second);
        }
    }
}

// ---- Targets

void Neighbours::set_targets(std::shared_ptr<const Targets> targets) {
    targets_ = std::move(targets);
    next_target_ = 0;
    next_drop_ = entries; // what an earlier drop has not reached yet, the next one will
    ++mark_;
    schedule_step();
}

void Neighbours::drop_old_targets() {
    next_drop_ = 0;
    schedule_step();
}

void Neighbours::schedule_step() {
    loop_.cancel(step_timer_);
    step_timer_ = loop_.call_after(std::chrono::milliseconds(0), [this] { step(); });
}

void Neighbours::step() {
    const std::size_t count = targets_ ? targets_->size() : 0;
    for (std::size_t i = 0; i < targets_a_step && next_target_ < count; ++i) {
        place((*targets_)[next_target_++]);
    }
    if (next_target_ == count) {
        for (std::size_t dropped = 0; dropped < drops_a_step && next_drop_ < entries;
             ++next_drop_) {
            if (destination_of_[next_drop_] != nullptr && marks_[next_drop_] != mark_) {
                unplace({static_cast<std::uint16_t>(next_drop_)});
                ++dropped;
            }
        }
    }
    ask_routes();
    if (next_target_ < count || next_drop_ < entries) {
        schedule_step();
    }
}

void Neighbours::place(const Snapshot::Target& target) {
    const std::size_t id = target.id.value;
    marks_[id] = mark_;
    auto [found, is_new] = destinations_.try_emplace(target.address);
    Destination& destination = found->second;
    if (is_new) {
        destination.address = target.address;
        if (const auto fixed = statics_.find(target.address); fixed != statics_.end()) {
            destination.fixed = fixed->second;
            destination.problem = HopProblem::none;
        } else if (!uses_kernel()) {
            destination.problem = HopProblem::no_kernel_port;
        } else {
            routes_.queue(destination.address);
        }
    }
    if (destination_of_[id] == &destination) {
        for (Destination::User& user : destination.users) {
            if (user.backend == target.id) {
                user.forwarding = target.forwarding;
            }
        }
    } else {
        if (destination_of_[id] != nullptr) {
            unplace(target.id);
        }
        destination_of_[id] = &destination;
        destination.users.push_back({target.id, target.forwarding});
    }
    update(destination);
}

void Neighbours::unplace(BackendId backend) {
    Destination& destination = *destination_of_[backend.value];
    destination_of_[backend.value] = nullptr;
    states_[backend.value] = {};
    next_hops_.clear(backend);
    std::erase_if(destination.users, [&](const auto& user) { return user.backend == backend; });
    if (destination.users.empty()) {
        detach(destination);
        destinations_.erase(IpAddress{destination.address});
    }
}

bool Neighbours::is_settled() const {
    const std::size_t count = targets_ ? targets_->size() : 0;
    if (next_target_ < count || !routes_.is_idle()) {
        return false;
    }
    return std::ranges::none_of(hops_, [](const auto& entry) {
        const Hop& hop = entry.second;
        return !hop.destinations.empty() && !hop.mac && hop.problem == HopProblem::pending;
    });
}

// ---- Routes

void Neighbours::ask_routes() {
    if (uses_kernel() && !routes_.ask(*requests_)) {
        schedule_step();
    }
}

void Neighbours::follow(Destination& destination, const RouteAnswer& answer) {
    const IpAddress next = answer.gateway.value_or(destination.address);
    const auto port = ports_.find(answer.ifindex);
    const auto fixed = statics_.find(next);
    destination.has_gateway = answer.gateway.has_value();
    destination.fixed.reset();
    if (answer.is_local) {
        destination.problem = HopProblem::local_address;
        detach(destination);
    } else if (fixed != statics_.end()) {
        destination.problem = HopProblem::none;
        destination.fixed = fixed->second;
        detach(destination);
    } else if (port == ports_.end()) {
        destination.problem = HopProblem::foreign_interface;
        detach(destination);
    } else {
        destination.problem = HopProblem::none;
        attach(destination, {answer.ifindex, next});
    }
    update(destination);
}

void Neighbours::take(const RouteAnswer& answer) {
    const auto asked = routes_.take(answer.sequence);
    const auto found = asked ? destinations_.find(*asked) : destinations_.end();
    if (found != destinations_.end()) {
        follow(found->second, answer);
    }
}

void Neighbours::take(const RoutingEvent&) {
    // The first of a bunch sets the timer; the rest fall into the same turn.
    if (reroute_timer_ == MainLoop::Timer{}) {
        reroute_timer_ = loop_.call_after(reroute_delay, [this] {
            reroute_timer_ = {};
            reroute_all();
        });
    }
}

void Neighbours::reroute_all() {
    for (auto& [address, destination] : destinations_) {
        if (!statics_.contains(address)) {
            routes_.queue(address);
        }
    }
    schedule_step();
}

// ---- Results

void Neighbours::update(Destination& destination) {
    HopState common{.problem = destination.problem};
    if (destination.problem == HopProblem::none && destination.fixed) {
        common.hop = *destination.fixed;
    } else if (destination.problem == HopProblem::none && destination.hop) {
        const Hop& hop = hops_.at(*destination.hop);
        common.problem = hop.mac ? HopProblem::none : hop.problem;
        if (hop.mac) {
            common.hop = {*hop.mac, ports_.at(destination.hop->first)};
        }
    }
    bool is_held = false;
    for (const Destination::User& user : destination.users) {
        HopState state = common;
        if (user.forwarding == Forwarding::l2dsr && destination.has_gateway) {
            state = {.problem = HopProblem::not_on_link};
        }
        states_[user.backend.value] = state;
        if (state.problem == HopProblem::none) {
            next_hops_.set(user.backend, state.hop);
        } else if (state.problem == HopProblem::pending && next_hops_.load(user.backend) != 0) {
            is_held = true; // the old way is better than none
        } else {
            next_hops_.clear(user.backend);
        }
    }
    if (!is_held) {
        destination.held_until.reset();
    } else if (!destination.held_until) {
        hold(destination);
    }
}

void Neighbours::hold(Destination& destination) {
    destination.held_until = MainLoop::Clock::now() + hold_limit;
    held_.push_back(destination.address);
    if (hold_timer_ == MainLoop::Timer{}) {
        hold_timer_ = loop_.call_after(hold_limit, [this] { drop_held(); });
    }
}

void Neighbours::drop_held() {
    hold_timer_ = {};
    const auto now = MainLoop::Clock::now();
    std::chrono::milliseconds delay{0};
    for (std::size_t i = 0; i < drops_a_step && !held_.empty(); ++i) {
        const auto found = destinations_.find(held_.front());
        if (found != destinations_.end() && found->second.held_until) {
            if (*found->second.held_until > now) {
                delay =
                    std::chrono::ceil<std::chrono::milliseconds>(*found->second.held_until - now);
                break;
            }
            found->second.held_until.reset();
            for (const Destination::User& user : found->second.users) {
                next_hops_.clear(user.backend);
            }
        }
        held_.pop_front();
    }
    if (!held_.empty()) {
        hold_timer_ = loop_.call_after(delay, [this] { drop_held(); });
    }
}

void Neighbours::update(const Hop& hop) {
    for (Destination* const destination : hop.destinations) {
        update(*destination);
    }
}

// ---- Addresses

void Neighbours::take(const AddressEvent& event) {
    addresses_.take(event);
    check_source();
}

void Neighbours::check_source() {
    const TunnelSources sources = default_tunnel_sources();
    if (sources != last_sources_) {
        last_sources_ = sources;
        if (source_changed_) {
            source_changed_();
        }
    }
}

void Neighbours::receive(Netlink& netlink) {
    std::vector<NetlinkEvent> events;
    netlink.receive(events);
    const bool is_answer = &netlink == requests_.get();
    for (const NetlinkEvent& event : events) {
        if (const auto* const line = std::get_if<NeighbourEvent>(&event); is_answer && line) {
            take_line(*line);
        } else if (const auto* const row = std::get_if<AddressEvent>(&event); is_answer && row) {
            addresses_.take_line(*row);
        } else {
            std::visit([this](const auto& value) { take(value); }, event);
        }
    }
    if (is_dump_due_) {
        struct pollfd entry{.fd = changes_->fd(), .events = POLLIN, .revents = 0};
        try_dump(::poll(&entry, 1, 0) == 0);
    }
    ask_routes();
}

} // namespace penstock
