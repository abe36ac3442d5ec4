// SPDX-License-Identifier: Apache-2.0
// Api, events: asked for once, waited for, or as a stream (server-sent events).
#include "controlplane/api/api.hpp"
#include "controlplane/api/problems.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <fmt/format.h>
#include <utility>

namespace penstock {

namespace {

constexpr std::size_t max_events = 1000;
constexpr std::uint64_t max_wait_s = 30;
constexpr std::size_t max_streams = 16;
/// A stream says that it lives so often, and so finds out that nobody listens any more.
constexpr std::chrono::seconds stream_pulse{15};

/// "5f0c3a9be1d24477/42" of this instance → 42; anything else is from another run: 0.
std::uint64_t read_event_id(std::string_view id, std::string_view instance) {
    if (!id.starts_with(instance) || id.size() < instance.size() + 2 ||
        id[instance.size()] != '/') {
        return 0;
    }
    id.remove_prefix(instance.size() + 1);
    std::uint64_t sequence = 0;
    const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), sequence);
    return error == std::errc{} && end == id.data() + id.size() ? sequence : 0;
}

} // namespace

struct Api::EventStream {
    std::uint64_t after = 0;
    std::shared_ptr<int> count; ///< of streams; less by one at the end

    ~EventStream() { --*count; }
};

void Api::get_events(Call call, Respond respond) {
    const Target& target = call.target;
    auto after = find_number(target, "after", 0, UINT64_MAX);
    const auto limit = find_number(target, "limit", max_events, max_events);
    const auto wait_s = find_number(target, "wait", 0, max_wait_s);
    if (!after || !limit || *limit == 0 || !wait_s) {
        respond(bad_request("after is a number, limit 1 to 1000, wait 0 to 30 seconds"));
        return;
    }
    if (find_text(target, "instance", events_.name()) != events_.name()) {
        after = 0;
    }
    if (*wait_s == 0 || events_.newest() > *after) {
        respond(make_json_response(make_events_view(events_, *after, *limit)));
        return;
    }
    event_waiters_.push_back({
        .after = *after,
        .deadline = std::chrono::steady_clock::now() + std::chrono::seconds(*wait_s),
        .wake = [this,
                 after = *after,
                 limit = static_cast<std::size_t>(*limit),
                 respond = std::move(respond)](
                ) mutable { respond(make_json_response(make_events_view(events_, after, limit))); },
    });
    serve_event_waiters();
}

void Api::get_event_stream(Call call, Respond respond) {
    if (*streams_ >= static_cast<int>(max_streams)) {
        respond(make_problem_response({
            .status = 503,
            .type = "busy",
            .title = "Too many event streams",
            .detail = fmt::format("{} are open", max_streams),
            .remedy = "close one, or ask GET /v1/events again and again",
        }));
        return;
    }
    auto after = find_number(call.target, "after", 0, UINT64_MAX);
    if (!after) {
        respond(bad_request("after is a number"));
        return;
    }
    if (!call.request.last_event_id.empty()) {
        after = read_event_id(call.request.last_event_id, events_.name());
    } else if (find_text(call.target, "instance", events_.name()) != events_.name()) {
        after = 0;
    }
    ++*streams_;
    auto stream = std::make_shared<EventStream>(EventStream{.after = *after, .count = streams_});
    HttpResponse response;
    response.content_type = "text/event-stream";
    response.next_chunk = [this, stream = std::move(stream)](TakeChunk take) {
        wait_for_chunk(stream, std::move(take));
    };
    respond(std::move(response));
}

void Api::wait_for_chunk(const std::shared_ptr<EventStream>& stream, TakeChunk take) {
    event_waiters_.push_back({
        .after = stream->after,
        .deadline = std::chrono::steady_clock::now() + stream_pulse,
        .wake =
            [this, stream, take = std::move(take)]() mutable {
                std::string text;
                for (const Event& event : events_.read(stream->after, max_events)) {
                    stream->after = event.sequence;
                    text += fmt::format(
                        "id: {}/{}\nevent: {}\ndata: {}\n\n",
                        events_.name(),
                        event.sequence,
                        to_string(event.type),
                        boost::json::serialize(make_event_view(event))
                    );
                }
                take(text.empty() ? std::string(": still here\n\n") : std::move(text));
            },
    });
    event_timer_.expires_after(std::chrono::milliseconds(0)); // not from within the last wake
    schedule_event_waiters();
}

void Api::serve_event_waiters() {
    const auto now = std::chrono::steady_clock::now();
    std::list<EventWaiter> ready;
    for (auto waiter = event_waiters_.begin(); waiter != event_waiters_.end();) {
        const auto next = std::next(waiter);
        if (events_.newest() > waiter->after || waiter->deadline <= now) {
            ready.splice(ready.end(), event_waiters_, waiter);
        }
        waiter = next;
    }
    for (EventWaiter& waiter : ready) {
        waiter.wake();
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
