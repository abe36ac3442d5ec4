// SPDX-License-Identifier: Apache-2.0
// penstock events: the control plane's event log, page by page, and as it grows.
#include "tools/cli/arguments.hpp"
#include "tools/cli/control_client.hpp"
#include "tools/cli/document.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"
#include "tools/cli/state_colour.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace penstock::cli {
namespace {

// One long poll; the server's maximum is 30 s.
constexpr int follow_wait_s = 25;
constexpr std::chrono::milliseconds reconnect_every{500};
// The ring holds 4096 events in pages of at most 1000: more pages than these are no log of ours.
constexpr int pages_max = 64;
constexpr std::uint64_t followed_first = 10;

// Where in the log we are: a sequence number means something only to the instance it came from.
struct Position {
    std::string instance;
    std::uint64_t after = 0;
};

struct Page {
    Position next;
    std::uint64_t lost = 0;
    std::vector<boost::json::value> events;
};

std::expected<Page, Failure> fetch(ControlClient& client, const Position& position, int wait_s) {
    std::string path = fmt::format("/v1/events?after={}&wait={}", position.after, wait_s);
    if (!position.instance.empty())
        path += "&instance=" + escape_segment(position.instance);
    const auto reply = client.get(path);
    if (!reply)
        return std::unexpected(reply.error());
    Document document(*reply);
    const Object root = document.root();
    Page page{
        .next = {.instance = root.text("instance"), .after = root.count("newest")},
        .lost = root.count("lost"),
        .events = {}
    };
    (void)root.objects("events");
    if (const auto complete = document.check(); !complete)
        return std::unexpected(complete.error());
    const auto& events = reply->get_object().at("events").get_array();
    page.events.assign(events.begin(), events.end());
    return page;
}

// Everything that is kept after `position`; `position` moves to the end.
std::expected<std::vector<boost::json::value>, Failure>
fetch_all(ControlClient& client, Position& position, Output& output) {
    std::vector<boost::json::value> events;
    for (int i = 0; i < pages_max; ++i) {
        auto page = fetch(client, position, 0);
        if (!page)
            return std::unexpected(page.error());
        // Before the first page nobody has seen anything that could be lost, unless --after says
        // so.
        if (page->lost > 0 && position.after > 0)
            output.print_note(fmt::format(
                "{} events were dropped from the log before they could be read", page->lost
            ));
        position = page->next;
        if (page->events.empty())
            break;
        std::ranges::move(page->events, std::back_inserter(events));
    }
    return events;
}

// "2026-11-22T14:02:17.800Z" without what a reader does not need.
std::string format_time(std::string time) {
    std::ranges::replace(time, 'T', ' ');
    return time;
}

std::string subject_of(const Object& event) {
    const auto service = event.maybe_text("service");
    const auto backend = event.maybe_text("backend");
    if (!service)
        return backend.value_or("");
    return backend ? fmt::format("{}/{}", *service, *backend) : *service;
}

// A line an event, not a table: a stream has no widths to know beforehand.
std::expected<std::string, Failure>
format_event(const boost::json::value& value, const Output& output) {
    Document document(value);
    const Object event = document.root();
    const std::string severity = event.text("severity");
    const auto from = event.maybe_text("from");
    const auto to = event.maybe_text("to");
    const std::vector<std::string> cells{
        format_time(event.text("time")),
        severity,
        event.text("type"),
        subject_of(event),
        from && to ? fmt::format("{} -> {}", *from, *to) : to.value_or(from.value_or("")),
        event.maybe_text("reason").value_or("")
    };
    if (const auto complete = document.check(); !complete)
        return std::unexpected(complete.error());

    constexpr std::array<std::size_t, 6> widths{24, 8, 18, 16, 14, 0};
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const std::string text = cells[i].empty() ? "-" : make_printable(cells[i]);
        const std::string blanks(widths[i] - std::min(widths[i], display_width(text)), ' ');
        line += i == 1 ? output.painted(text, colour_of_severity(severity)) : text;
        if (i + 1 < cells.size())
            line += output.terminal() ? blanks + "  " : "\t";
    }
    return line + "\n";
}

std::expected<void, Failure> print_events(
    std::span<const boost::json::value> events, const Invocation& invocation, Output& output
) {
    for (const auto& event : events) {
        if (invocation.json) {
            output.print_json(event);
            continue;
        }
        const auto line = format_event(event, output);
        if (!line)
            return std::unexpected(line.error());
        output.print(*line);
    }
    output.flush();
    return {};
}

// Until interrupted, or nobody reads any more. A control plane that goes away is waited for:
// following events while it restarts is when they matter.
RunResult follow(const Invocation& invocation, Output& output, Position position) {
    ControlClient client(invocation.endpoint, follow_wait_s + invocation.timeout_s, output);
    bool away = false;
    while (!output.broken()) {
        auto page = fetch(client, position, follow_wait_s);
        if (!page && page.error().code != ExitCode::unreachable)
            return std::unexpected(page.error());
        if (!page) {
            if (!std::exchange(away, true))
                output.print_note(page.error().cause + "; waiting for it to return");
            std::this_thread::sleep_for(reconnect_every);
            continue;
        }
        if (std::exchange(away, false))
            output.print_note("the control plane is back");
        if (page->lost > 0)
            output.print_note(fmt::format(
                "{} events were dropped from the log before they could be read", page->lost
            ));
        if (const auto printed = print_events(page->events, invocation, output); !printed)
            return std::unexpected(printed.error());
        position = page->next;
    }
    return ExitCode::ok;
}

} // namespace

RunResult run_events(const Invocation& invocation, Output& output) {
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    Position position{.instance = {}, .after = invocation.count("after").value_or(0)};
    const auto events = fetch_all(client, position, output);
    if (!events)
        return std::unexpected(events.error());
    const bool following = invocation.has("follow");
    std::uint64_t last = invocation.count("last").value_or(events->size());
    if (following && !invocation.has("last") && !invocation.has("after"))
        last = followed_first;
    const std::size_t shown =
        static_cast<std::size_t>(std::min<std::uint64_t>(last, events->size()));
    if (const auto printed = print_events(std::span(*events).last(shown), invocation, output);
        !printed)
        return std::unexpected(printed.error());
    return following ? follow(invocation, output, std::move(position)) : RunResult{ExitCode::ok};
}

} // namespace penstock::cli
