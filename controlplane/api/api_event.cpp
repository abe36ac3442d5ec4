// SPDX-License-Identifier: Apache-2.0
// Api, events: asked for once, or waited for.
#include "controlplane/api/api.hpp"
#include "controlplane/api/problems.hpp"

#include <algorithm>
#include <utility>

namespace penstock {

namespace {

constexpr std::size_t max_events = 1000;
constexpr std::uint64_t max_wait_s = 30;

} // namespace

void Api::get_events(Call call, Respond respond) {
    const Target& target = call.target;
    auto after = find_number(target, "after", 0, UINT64_MAX);
    const auto limit = find_number(target, "limit", max_events, max_events);
    const auto wait_s = find_number(target, "wait", 0, max_wait_s);
    if (!after || !limit || *limit == 0 || !wait_s) {
        respond(bad_request("after is a number, limit 1 to 1000, wait 0 to 30 seconds"));
        return;
    }
    const auto asked = target.parameters.find("instance");
    if (asked != target.parameters.end() && asked->second != instance_.id) {
        after = 0;
    }
    if (*wait_s == 0 || events_.newest() > *after) {
        respond(make_json_response(make_events_view(events_, instance_, *after, *limit)));
        return;
    }
    event_waiters_.push_back({
        .after = *after,
        .limit = static_cast<std::size_t>(*limit),
        .deadline = std::chrono::steady_clock::now() + std::chrono::seconds(*wait_s),
        .respond = std::move(respond),
    });
    serve_event_waiters();
}

void Api::serve_event_waiters() {
    const auto now = std::chrono::steady_clock::now();
    for (auto waiter = event_waiters_.begin(); waiter != event_waiters_.end();) {
        if (events_.newest() <= waiter->after && waiter->deadline > now) {
            ++waiter;
            continue;
        }
        EventWaiter ready = std::move(*waiter);
        waiter = event_waiters_.erase(waiter);
        ready.respond(
            make_json_response(make_events_view(events_, instance_, ready.after, ready.limit))
        );
    }
    if (!event_waiters_.empty()) {
        event_timer_.expires_at(
            std::ranges::min_element(event_waiters_, {}, &EventWaiter::deadline)->deadline
        );
        schedule_event_waiters();
    }
}

void Api::schedule_event_waiters() {
    event_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            serve_event_waiters();
        }
    });
}

} // namespace penstock
