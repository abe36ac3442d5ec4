// SPDX-License-Identifier: Apache-2.0
// This file is long because targets, routes and neighbours are one graph: every message of the
// kernel touches all three.
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
constexpr std::size_t routes_in_flight = 64;

constexpr std::chrono::milliseconds reroute_delay{50}; // routes change in bunches
constexpr std::chrono::milliseconds retry_delay{5000};
constexpr std::chrono::milliseconds dump_retry_delay{500};
constexpr std::chrono::milliseconds dump_limit{5000};

// The kernel gives up on a neighbour after 3 s (mcast_solicit, retrans_time_ms).
constexpr std::chrono::milliseconds hold_limit{5000};

constexpr std::size_t entries = max_backends;

void apply(const AddressEvent& event, std::map<std::uint32_t, std::vector<IpAddress>>& to) {
    std::vector<IpAddress>& addresses = to[event.ifindex];
    const bool is_known = std::ranges::find(addresses, event.address) != addresses.end();
    if (event.is_removed || !event.is_usable) {
        std::erase(addresses, event.address);
    } else if (!is_known) {
        addresses.push_back(event.address);
    }
}

} // namespace

std::string describe(HopProblem problem, const IpAddress& backend) {
    const std::string address = backend.to_string();
    switch (problem) {
    case HopProblem::none:
        return {};
    case HopProblem::pending:
        return fmt::format("the kernel has been asked for the way to {}", address);
    case HopProblem::no_route:
        return fmt::format("the kernel has no route to {}: add one", address);
    case HopProblem::local_address:
        return fmt::format("{} is an address of this host: name another server", address);
    case HopProblem::foreign_interface:
        return fmt::format(
            "the route to {} leaves by an interface that is no [[dataplane.port]]", address
        );
    case HopProblem::not_on_link:
        return fmt::format("{} is behind a gateway: l2dsr needs it on-link, or use ipip", address);
    case HopProblem::unanswered:
        return fmt::format("nobody answers ARP for {} or for the gateway to it", address);
    case HopProblem::table_full:
        return "the kernel's neighbour table is full: raise net.ipv4.neigh.default.gc_thresh3";
    case HopProblem::not_allowed:
        return "the kernel refused to add the neighbour: see penstock-dp's log";
    case HopProblem::no_kernel_port:
        return fmt::format(
            "no port has a kernel interface: add a [[dataplane.neighbour]] for {}", address
        );
    }
    return {};
}

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
            ifindexes_.push_back(*port.ifindex);
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

void Neighbours::set_targets(std::shared_ptr<const Snapshot> snapshot) {
    snapshot_ = std::move(snapshot);
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
    const std::size_t count = snapshot_ ? snapshot_->targets().size() : 0;
    for (std::size_t i = 0; i < targets_a_step && next_target_ < count; ++i) {
        place(snapshot_->targets()[next_target_++]);
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
            queue_route(destination);
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
    const std::size_t count = snapshot_ ? snapshot_->targets().size() : 0;
    if (next_target_ < count || !route_queue_.empty() || !asked_routes_.empty()) {
        return false;
    }
    return std::ranges::none_of(hops_, [](const auto& entry) {
        const Hop& hop = entry.second;
        return !hop.destinations.empty() && !hop.mac && hop.problem == HopProblem::pending;
    });
}

// ---- Routes

void Neighbours::queue_route(Destination& destination) {
    if (!destination.is_queued) {
        destination.is_queued = true;
        route_queue_.push_back(destination.address);
    }
}

void Neighbours::ask_routes() {
    while (!route_queue_.empty() && asked_routes_.size() < routes_in_flight) {
        const IpAddress address = route_queue_.front();
        const auto found = destinations_.find(address);
        if (found != destinations_.end()) {
            const std::uint32_t sequence = requests_->ask_route(address);
            if (sequence == 0) { // the socket is full: answers that come in make room
                if (asked_routes_.empty()) {
                    schedule_step();
                }
                return;
            }
            found->second.is_queued = false;
            asked_routes_.emplace(sequence, address);
        }
        route_queue_.pop_front();
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
    const auto asked = asked_routes_.find(answer.sequence);
    if (asked == asked_routes_.end()) {
        return;
    }
    const auto found = destinations_.find(asked->second);
    asked_routes_.erase(asked);
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
            queue_route(destination);
        }
    }
    schedule_step();
}

// ---- Neighbours

void Neighbours::attach(Destination& destination, const HopKey& key) {
    if (destination.hop && *destination.hop != key) {
        detach(destination);
    }
    Hop& hop = hops_[key];
    destination.hop = key;
    hop.destinations.insert(&destination);
    if (!hop.is_managed) {
        manage(key, hop);
    }
}

void Neighbours::detach(Destination& destination) {
    if (!destination.hop) {
        return;
    }
    const auto found = hops_.find(*destination.hop);
    destination.hop.reset();
    Hop& hop = found->second;
    hop.destinations.erase(&destination);
    if (hop.destinations.empty() && hop.is_ours) {
        (void)requests_->remove_neighbour(found->first.first, found->first.second);
        hops_.erase(found);
    }
}

void Neighbours::manage(const HopKey& key, Hop& hop) {
    const std::uint32_t sequence = requests_->add_managed_neighbour(key.first, key.second);
    hop.problem = HopProblem::pending;
    if (sequence == 0) {
        hop.problem = HopProblem::not_allowed; // retry_failed() tries again
        return;
    }
    hop.is_managed = true;
    hop.is_ours = true;
    asked_hops_.emplace(sequence, key);
}

void Neighbours::lose(const HopKey& key, Hop& hop) {
    hop.mac.reset();
    hop.is_seen = true;
    hop.is_managed = false;
    hop.is_ours = false;
    if (!hop.destinations.empty()) {
        manage(key, hop); // somebody flushed it, or the link went down and up
        update(hop);
    }
}

void Neighbours::take(const NeighbourEvent& event) {
    if (!ports_.contains(event.ifindex)) {
        return;
    }
    const HopKey key{event.ifindex, event.address};
    if (neighbour_dump_ != 0) {
        heard_hops_.insert(key);
    }
    if (!event.is_removed) {
        set_hop(event);
    } else if (const auto found = hops_.find(key); found != hops_.end()) {
        lose(key, found->second);
        if (found->second.destinations.empty()) {
            hops_.erase(found);
        }
    }
}

void Neighbours::take_line(const NeighbourEvent& line) {
    const bool is_wanted = neighbour_dump_ != 0 && ports_.contains(line.ifindex);
    if (is_wanted && !heard_hops_.contains({line.ifindex, line.address})) {
        set_hop(line);
    }
}

void Neighbours::set_hop(const NeighbourEvent& event) {
    const HopKey key{event.ifindex, event.address};
    Hop& hop = hops_[key];
    hop.is_seen = true;
    hop.is_managed = event.is_managed || event.is_permanent;
    hop.is_ours = event.is_ours;
    // One that is being asked again keeps its MAC until it answers, fails or is removed.
    if (event.mac || event.is_failed) {
        hop.mac = event.mac;
    }
    hop.problem = event.is_failed ? HopProblem::unanswered : HopProblem::pending;
    if (!hop.destinations.empty()) {
        if (!hop.is_managed) {
            manage(key, hop);
        }
        update(hop);
    }
}

void Neighbours::take(const RequestEnd& end) {
    if (end.sequence == neighbour_dump_ || end.sequence == address_dump_) {
        end_dump(end.error);
        return;
    }
    if (const auto asked = asked_routes_.find(end.sequence); asked != asked_routes_.end()) {
        const auto found = destinations_.find(asked->second);
        asked_routes_.erase(asked);
        if (found != destinations_.end() && end.error != 0) {
            detach(found->second);
            found->second.fixed.reset();
            found->second.problem = HopProblem::no_route;
            update(found->second);
        }
        return;
    }
    const auto asked = asked_hops_.find(end.sequence);
    if (asked == asked_hops_.end()) {
        return; // of a removal: gone is gone
    }
    const auto found = hops_.find(asked->second);
    asked_hops_.erase(asked);
    if (found != hops_.end() && end.error != 0) {
        Hop& hop = found->second;
        hop.is_managed = false;
        hop.is_ours = false;
        hop.problem = end.error == ENOBUFS ? HopProblem::table_full : HopProblem::not_allowed;
        spdlog::warn(
            "neighbour {}: the kernel cannot add it: {}",
            found->first.second.to_string(),
            std::generic_category().message(end.error)
        );
        update(hop);
    }
}

void Neighbours::retry_failed() {
    std::size_t asked = 0;
    for (auto& [key, hop] : hops_) {
        const bool has_failed =
            hop.problem == HopProblem::table_full || hop.problem == HopProblem::not_allowed;
        if (has_failed && !hop.destinations.empty() && !hop.is_managed && asked < drops_a_step) {
            manage(key, hop);
            ++asked;
        }
    }
    try_dump(true); // ends one whose end was lost
    retry_timer_ = loop_.call_after(retry_delay, [this] { retry_failed(); });
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

TunnelSources Neighbours::default_tunnel_sources() const {
    TunnelSources sources;
    for (const std::uint32_t ifindex : ifindexes_) {
        const auto found = addresses_.find(ifindex);
        if (found != addresses_.end() && !found->second.empty()) {
            sources.ipv4 = IpPrefix{.address = found->second.front()};
            break;
        }
    }
    return sources;
}

void Neighbours::take(const AddressEvent& event) {
    if (!event.address.is_ipv4() || !ports_.contains(event.ifindex)) {
        return;
    }
    if (address_dump_ != 0) {
        heard_addresses_.push_back(event);
    }
    apply(event, addresses_);
    check_source();
}

void Neighbours::take_line(const AddressEvent& line) {
    if (address_dump_ != 0 && line.address.is_ipv4() && ports_.contains(line.ifindex)) {
        apply(line, dumped_addresses_);
    }
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

// ---- Everything again

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
    asked_routes_.clear();
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
    dumped_addresses_.clear();
    heard_addresses_.clear();
    address_dump_ = requests_->dump_addresses();
    if (address_dump_ == 0) {
        require_dump();
    }
}

void Neighbours::end_address_dump() {
    address_dump_ = 0;
    for (const AddressEvent& event : heard_addresses_) {
        apply(event, dumped_addresses_);
    }
    addresses_ = std::move(dumped_addresses_);
    check_source();
}

void Neighbours::receive(Netlink& netlink) {
    std::vector<NetlinkEvent> events;
    netlink.receive(events);
    const bool is_answer = &netlink == requests_.get();
    for (const NetlinkEvent& event : events) {
        if (const auto* const line = std::get_if<NeighbourEvent>(&event); is_answer && line) {
            take_line(*line);
        } else if (const auto* const row = std::get_if<AddressEvent>(&event); is_answer && row) {
            take_line(*row);
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
