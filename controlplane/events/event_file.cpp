// SPDX-License-Identifier: Apache-2.0
#include "controlplane/events/event_file.hpp"

#include "controlplane/state/actor_json.hpp"
#include "controlplane/state/atomic_file.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <memory>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock {

namespace json = boost::json;

namespace {

std::optional<std::string> find_text(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    const auto* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::nullopt : std::optional(std::string(*text));
}

/// The value of an enumeration, by its word.
template <typename Word>
std::optional<Word> find_word(const json::object& object, std::string_view name, Word last) {
    const auto text = find_text(object, name);
    for (std::size_t i = 0; text && i <= static_cast<std::size_t>(last); ++i) {
        if (to_string(static_cast<Word>(i)) == *text) {
            return static_cast<Word>(i);
        }
    }
    return std::nullopt;
}

void take_lines(std::string_view text, std::size_t limit, EventsBefore& found) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        if (auto logged = parse_event_line(text.substr(0, end))) {
            found.events.push_back(std::move(logged->event));
            found.log = std::move(logged->log);
        } else {
            ++found.unreadable;
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (found.events.size() > limit) {
        found.events.erase(
            found.events.begin(), found.events.end() - static_cast<std::ptrdiff_t>(limit)
        );
    }
}

} // namespace

std::string format_event_line(const Event& event, std::string_view log) {
    json::object object{
        {"log", log},
        {"sequence", event.sequence},
        {"time_ms",
         std::chrono::duration_cast<std::chrono::milliseconds>(event.time.time_since_epoch())
             .count()},
        {"severity", to_string(event.severity)},
        {"type", to_string(event.type)},
        {"reason", event.reason},
    };
    const auto add = [&](std::string_view name, const std::optional<std::string>& text) {
        if (text) {
            object[name] = *text;
        }
    };
    add("service", event.service);
    add("backend", event.backend);
    add("from", event.from);
    add("to", event.to);
    if (event.actor) {
        object["actor"] = make_actor_object(*event.actor);
    }
    return json::serialize(object);
}

std::optional<LoggedEvent> parse_event_line(std::string_view line) {
    json::error_code error;
    const json::value value = json::parse(line, error);
    const auto* object = error ? nullptr : value.if_object();
    if (object == nullptr) {
        return std::nullopt;
    }
    const auto type = find_word(*object, "type", last_event_type);
    const auto severity = find_word(*object, "severity", EventSeverity::critical);
    const auto* time = object->if_contains("time_ms");
    const auto* time_ms = time == nullptr ? nullptr : time->if_int64();
    const auto* number = object->if_contains("sequence");
    const auto* sequence = number == nullptr ? nullptr : number->if_int64();
    const auto log = find_text(*object, "log");
    if (!type || !severity || time_ms == nullptr || sequence == nullptr || *sequence < 1 || !log) {
        return std::nullopt;
    }
    Event event{
        .type = *type,
        .severity = *severity,
        .service = find_text(*object, "service"),
        .backend = find_text(*object, "backend"),
        .from = find_text(*object, "from"),
        .to = find_text(*object, "to"),
        .reason = find_text(*object, "reason").value_or(""),
        .sequence = static_cast<std::uint64_t>(*sequence),
        .time = WallTime(std::chrono::milliseconds(*time_ms)),
    };
    const auto* actor = object->if_contains("actor");
    if (actor != nullptr && actor->is_object()) {
        event.actor = read_actor(actor->get_object());
    }
    return LoggedEvent{.event = std::move(event), .log = *log};
}

std::expected<EventsBefore, Refusal> load_events(const std::string& path, std::size_t limit) {
    EventsBefore found;
    for (const std::string& part : {path + ".1", path}) {
        // A line may have gone beyond the size, and an older version may have had another one.
        auto text = read_whole_file(part, 4 * max_event_file_bytes);
        if (!text) {
            return std::unexpected(text.error());
        }
        if (*text) {
            take_lines(**text, limit, found);
        }
    }
    return found;
}

std::expected<void, Refusal>
keep_events(EventLog& events, const std::string& path, const std::string& fresh_name) {
    auto before = load_events(path, events.capacity());
    if (!before) {
        return std::unexpected(before.error());
    }
    auto opened = AppendedFile::open(path, max_event_file_bytes, "the log of events");
    if (!opened) {
        return std::unexpected(opened.error());
    }
    const std::string boot = read_boot_mark();
    const std::size_t count = before->events.size();
    const std::uint64_t last = count == 0 ? 0 : before->events.back().sequence;
    const bool goes_on = last >= count && before->log.ends_with(boot);
    const std::string name = goes_on && count > 0 ? before->log : fresh_name + boot;
    if (before->unreadable > 0) {
        spdlog::warn(
            "{}: {} lines cannot be understood and are left out", path, before->unreadable
        );
    }
    events.restore(name, std::move(before->events), goes_on ? last : count);
    events.set_writer([name,
                       file = std::make_shared<AppendedFile>(std::move(*opened))](const Event& event
                      ) { file->append(format_event_line(event, name)); });
    return {};
}

std::string read_boot_mark() {
    const auto text = read_whole_file("/proc/sys/kernel/random/boot_id", 64);
    return text && *text && (*text)->size() >= 8 ? (*text)->substr(0, 8) : "00000000";
}

} // namespace penstock
