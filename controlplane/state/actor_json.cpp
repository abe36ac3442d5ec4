// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/actor_json.hpp"

#include <boost/json/value.hpp>
#include <limits>

namespace penstock {

namespace json = boost::json;

namespace {

std::string text_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

template <typename Number>
std::optional<Number> number_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0 ||
        value->get_int64() > std::int64_t{std::numeric_limits<Number>::max()}) {
        return std::nullopt;
    }
    return static_cast<Number>(value->get_int64());
}

} // namespace

json::object make_actor_object(const Actor& actor) {
    return {
        {"user", actor.user.empty() ? json::value(nullptr) : json::value(actor.user)},
        {"uid", actor.uid ? json::value(*actor.uid) : json::value(nullptr)},
        {"pid", actor.pid ? json::value(*actor.pid) : json::value(nullptr)},
        {"from", actor.from},
        {"role", to_string(actor.role)},
    };
}

Actor read_actor(const json::object& object) {
    Actor actor{
        .user = text_of(object, "user"),
        .uid = number_of<std::uint32_t>(object, "uid"),
        .pid = number_of<std::int32_t>(object, "pid"),
        .from = text_of(object, "from"),
        .role = Role::none,
    };
    const std::string role = text_of(object, "role");
    for (const Role candidate : {Role::view, Role::operate, Role::administer}) {
        if (role == to_string(candidate)) {
            actor.role = candidate;
        }
    }
    return actor;
}

} // namespace penstock
