// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/overrides.hpp"

#include "controlplane/state/actor_json.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <limits>
#include <optional>

namespace penstock {

namespace {

namespace json = boost::json;

std::unexpected<Refusal> fail(std::string cause) {
    return std::unexpected(Refusal{.place = "overrides", .cause = std::move(cause), .remedy = ""});
}

std::optional<std::string_view> find_string(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_string()) {
        return std::nullopt;
    }
    return std::string_view(value->get_string());
}

/// 0: any port.
std::optional<std::uint16_t> find_port(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0 ||
        value->get_int64() > std::numeric_limits<std::uint16_t>::max()) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(value->get_int64());
}

/// The member of an enumeration whose word `text` is.
template <typename Enum>
std::optional<Enum> find_word(std::string_view text, std::initializer_list<Enum> values) {
    for (const Enum value : values) {
        if (to_string(value) == text) {
            return value;
        }
    }
    return std::nullopt;
}

/// Nothing if it says nothing, or something that is not understood.
std::optional<Override> read_override(const json::object& object) {
    Override said;
    const json::value* admin = object.if_contains("admin");
    if (admin != nullptr && !admin->is_null()) {
        said.admin = find_word(
            find_string(object, "admin").value_or(""),
            {AdminState::ready, AdminState::drain, AdminState::disabled}
        );
        if (!said.admin) {
            return std::nullopt;
        }
    }
    const json::value* weight = object.if_contains("weight");
    if (weight != nullptr && !weight->is_null()) {
        if (!weight->is_int64() || weight->get_int64() < 0 ||
            weight->get_int64() > std::numeric_limits<std::uint16_t>::max()) {
            return std::nullopt;
        }
        said.weight = static_cast<std::uint16_t>(weight->get_int64());
    }
    const json::value* actor = object.if_contains("actor");
    if (actor != nullptr && actor->is_object()) {
        said.actor = read_actor(actor->get_object());
    }
    said.since = find_string(object, "since").value_or("");
    return said.admin || said.weight ? std::optional(std::move(said)) : std::nullopt;
}

bool add_override(Overrides& overrides, const json::value& item) {
    if (!item.is_object()) {
        return false;
    }
    const json::object& object = item.get_object();
    const auto vip = IpPrefix::parse(find_string(object, "vip").value_or(""));
    const auto address = IpAddress::parse(find_string(object, "address").value_or(""));
    const auto protocol = find_word(
        find_string(object, "protocol").value_or(""), {Protocol::tcp, Protocol::udp, Protocol::any}
    );
    const auto service_port = find_port(object, "service_port");
    const auto port = find_port(object, "port");
    auto said = read_override(object);
    // Not there before services could take a range.
    const auto last_port = object.contains("service_last_port")
                               ? find_port(object, "service_last_port")
                               : service_port;
    if (!last_port || last_port < service_port || !vip || !address || !protocol || !said ||
        !service_port || !port) {
        return false;
    }
    const BackendRef ref{
        .service =
            {.vip = vip->address,
             .protocol = *protocol,
             .port = *service_port,
             .more_ports =
                 static_cast<std::uint16_t>(*service_port == 0 ? 0 : *last_port - *service_port),
             .host_bits = vip->host_bits},
        .backend = {.address = *address, .port = *port},
    };
    return overrides.emplace(ref, std::move(*said)).second;
}

} // namespace

std::string format_overrides(const Overrides& overrides) {
    json::array items;
    for (const auto& [ref, said] : overrides) {
        items.push_back(json::object{
            {"vip", ref.service.prefix().to_string()},
            {"protocol", to_string(ref.service.protocol)},
            {"service_port", ref.service.port},
            {"service_last_port", ref.service.last_port()},
            {"address", ref.backend.address.to_string()},
            {"port", ref.backend.port},
            {"admin", said.admin ? json::value(to_string(*said.admin)) : json::value(nullptr)},
            {"weight", said.weight ? json::value(*said.weight) : json::value(nullptr)},
            {"actor", make_actor_object(said.actor)},
            {"since", said.since},
        });
    }
    return json::serialize(json::object{{"version", 2}, {"overrides", std::move(items)}}) + "\n";
}

std::expected<Overrides, Refusal> parse_overrides(std::string_view text) {
    json::error_code error;
    const json::value document = json::parse(text, error, {}, {.max_depth = 4});
    if (error) {
        return fail(fmt::format("not JSON: {}", error.message()));
    }
    const json::object* object = document.if_object();
    const json::value* version = object == nullptr ? nullptr : object->if_contains("version");
    const json::value* items = object == nullptr ? nullptr : object->if_contains("overrides");
    if (version == nullptr || (*version != 1 && *version != 2) || items == nullptr ||
        !items->is_array()) {
        return fail("not of version 1 or 2, or without a list");
    }
    Overrides overrides;
    for (const json::value& item : items->get_array()) {
        if (!add_override(overrides, item)) {
            return fail(fmt::format("entry {} is not understood or doubled", overrides.size() + 1));
        }
    }
    return overrides;
}

} // namespace penstock
