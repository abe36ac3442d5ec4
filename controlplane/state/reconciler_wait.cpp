// SPDX-License-Identifier: Apache-2.0
// Reconciler, the audience: events of services, and those who wait for a generation.
#include "controlplane/state/reconciler.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace penstock {

namespace {

constexpr std::chrono::seconds live_wait{5};

} // namespace

void Reconciler::announce_services() {
    std::map<ServiceKey, ServiceState> before = std::exchange(service_states_, {});
    for (const ServiceSpec& service : desired_.services) {
        if (const auto found = before.find(service.key); found != before.end()) {
            service_states_.insert(*found);
        }
        announce_service(service);
    }
}

void Reconciler::announce_service(const ServiceSpec& service) {
    const ServiceState state = state_of(service);
    const auto before = service_states_.find(service.key);
    const bool is_new = before == service_states_.end();
    const bool is_undecided = std::ranges::any_of(service.backends, [](const BackendSpec& backend) {
        return backend.health == Health::unknown;
    });
    // A service that is still being probed for the first time is down by rule, not by event.
    if (is_new ? state != ServiceState::up && is_undecided : before->second == state) {
        return;
    }
    events_.record(
        {.type = EventType::service_state,
         .severity = state == ServiceState::down       ? EventSeverity::critical
                     : state == ServiceState::degraded ? EventSeverity::warning
                                                       : EventSeverity::info,
         .service = service.name,
         .from = is_new ? std::nullopt : std::optional(std::string(to_string(before->second))),
         .to = std::string(to_string(state)),
         .reason = reason_of(service)}
    );
    service_states_[service.key] = state;
}

void Reconciler::wait_for_live(
    std::optional<BackendRef> override_of, std::vector<std::string> notes, ChangeDone done
) {
    if (!link_.is_ready()) {
        ChangeReply reply = make_reply(desired_.generation, true);
        reply.notes = std::move(notes);
        done(std::move(reply));
        return;
    }
    waiters_.push_back({
        .generation = desired_.generation,
        .override_of = override_of,
        .done = std::move(done),
        .notes = std::move(notes),
        .deadline = std::chrono::steady_clock::now() + live_wait,
    });
    if (waiters_.size() == 1) {
        expire_waiters();
    }
}

ChangeReply Reconciler::make_reply(std::uint64_t generation, bool changed) const {
    ChangeReply reply{
        .generation = generation, .live_generation = live_generation(), .changed = changed
    };
    reply.live = reply.live_generation && *reply.live_generation >= generation;
    if (reply.live) {
        reply.detail = fmt::format("generation {} is live", generation);
    } else if (!link_.is_ready()) {
        reply.detail = fmt::format(
            "penstock-dp is away: {}; the change takes effect when it is back", dataplane_.reason
        );
    } else {
        reply.detail = fmt::format("penstock-dp is still at work on generation {}", generation);
    }
    return reply;
}

void Reconciler::resolve_waiters(std::uint64_t up_to) {
    std::vector<Waiter> others;
    for (Waiter& waiter : std::exchange(waiters_, {})) {
        if (waiter.generation > up_to) {
            others.push_back(std::move(waiter));
            continue;
        }
        ChangeReply reply = make_reply(waiter.generation, true);
        reply.notes = std::move(waiter.notes);
        waiter.done(std::move(reply));
    }
    waiters_ = std::move(others);
}

void Reconciler::expire_waiters() {
    const auto now = std::chrono::steady_clock::now();
    // In order of arrival, hence of deadline.
    while (!waiters_.empty() && waiters_.front().deadline <= now) {
        Waiter waiter = std::move(waiters_.front());
        waiters_.erase(waiters_.begin());
        ChangeReply reply = make_reply(waiter.generation, true);
        reply.notes = std::move(waiter.notes);
        waiter.done(std::move(reply));
    }
    if (waiters_.empty()) {
        return;
    }
    waiter_timer_.expires_at(waiters_.front().deadline);
    waiter_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            expire_waiters();
        }
    });
}

void Reconciler::stop() {
    for (Waiter& waiter : std::exchange(waiters_, {})) {
        ChangeReply reply = make_reply(waiter.generation, true);
        reply.detail =
            "penstock-cp is ending; the change is saved and takes effect at its next start";
        waiter.done(std::move(reply));
    }
}

} // namespace penstock
