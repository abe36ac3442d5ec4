// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/confirmation.hpp"

#include "controlplane/state/actor_json.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace penstock {

namespace json = boost::json;
using std::chrono::milliseconds;

std::string format_confirmation(const Confirmation& confirmation) {
    const auto deadline =
        std::chrono::duration_cast<milliseconds>(confirmation.deadline.time_since_epoch()).count();
    return json::serialize(json::object{
               {"version", 1},
               {"back_to", confirmation.back_to},
               {"window_s", confirmation.window.count()},
               {"deadline_ms", deadline},
               {"actor", make_actor_object(confirmation.actor)},
           }) +
           "\n";
}

std::expected<Confirmation, std::string> parse_confirmation(std::string_view text) {
    json::error_code error;
    const json::value document = json::parse(text, error, {}, {.max_depth = 4});
    const json::object* object = error ? nullptr : document.if_object();
    if (object == nullptr) {
        return std::unexpected("it is no JSON object");
    }
    const auto number = [object](std::string_view key) -> std::int64_t {
        const json::value* value = object->if_contains(key);
        return value != nullptr && value->is_int64() ? value->get_int64() : -1;
    };
    const std::int64_t back_to = number("back_to");
    const std::int64_t window = number("window_s");
    const std::int64_t deadline = number("deadline_ms");
    if (number("version") != 1 || back_to < 1 || window < 1 ||
        window > max_confirm_window.count() || deadline < 0) {
        return std::unexpected("it is not of version 1, or a number is missing or out of range");
    }
    const json::value* actor = object->if_contains("actor");
    return Confirmation{
        .back_to = static_cast<std::uint64_t>(back_to),
        .window = std::chrono::seconds(window),
        .deadline = WallTime(milliseconds(deadline)),
        .actor = actor != nullptr && actor->is_object() ? read_actor(actor->get_object()) : Actor{},
    };
}

milliseconds time_left(const Confirmation& confirmation, WallTime now) {
    const auto left = std::chrono::duration_cast<milliseconds>(confirmation.deadline - now);
    return std::clamp(left, milliseconds(0), milliseconds(confirmation.window));
}

} // namespace penstock
