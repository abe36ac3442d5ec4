// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/json_body.hpp"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <set>
#include <vector>

namespace penstock {

namespace json = boost::json;

namespace {

/// Boost.JSON keeps the last of doubled keys without a word; this looks at each of them.
struct KeyWatcher {
    static constexpr std::size_t max_object_size = 4096;
    static constexpr std::size_t max_array_size = 65536;
    static constexpr std::size_t max_key_size = 4096;
    static constexpr std::size_t max_string_size = max_json_body_bytes;

    std::vector<std::set<std::string, std::less<>>> objects{};
    std::string key{};
    bool is_doubled = false;

    bool on_document_begin(json::error_code&) { return true; }

    bool on_document_end(json::error_code&) { return true; }

    bool on_object_begin(json::error_code&) {
        objects.emplace_back();
        return true;
    }

    bool on_object_end(std::size_t, json::error_code&) {
        objects.pop_back();
        return true;
    }

    bool on_array_begin(json::error_code&) { return true; }

    bool on_array_end(std::size_t, json::error_code&) { return true; }

    bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
        key.append(part.data(), part.size());
        return true;
    }

    bool on_key(json::string_view part, std::size_t, json::error_code& error) {
        key.append(part.data(), part.size());
        is_doubled = is_doubled || !objects.back().insert(std::move(key)).second;
        key.clear();
        if (is_doubled) {
            error = json::error::syntax;
        }
        return !is_doubled;
    }

    bool on_string_part(json::string_view, std::size_t, json::error_code&) { return true; }

    bool on_string(json::string_view, std::size_t, json::error_code&) { return true; }

    bool on_number_part(json::string_view, json::error_code&) { return true; }

    bool on_int64(std::int64_t, json::string_view, json::error_code&) { return true; }

    bool on_uint64(std::uint64_t, json::string_view, json::error_code&) { return true; }

    bool on_double(double, json::string_view, json::error_code&) { return true; }

    bool on_bool(bool, json::error_code&) { return true; }

    bool on_null(json::error_code&) { return true; }

    bool on_comment_part(json::string_view, json::error_code&) { return true; }

    bool on_comment(json::string_view, json::error_code&) { return true; }
};

} // namespace

std::expected<json::object, std::string>
parse_json_body(std::string_view body, std::initializer_list<std::string_view> members) {
    if (body.size() > max_json_body_bytes) {
        return std::unexpected(
            fmt::format("the body is larger than {} KiB", max_json_body_bytes >> 10U)
        );
    }
    json::error_code error;
    json::basic_parser<KeyWatcher> watcher({.max_depth = max_json_body_depth});
    watcher.write_some(false, body.data(), body.size(), error);
    if (watcher.handler().is_doubled) {
        return std::unexpected("a key is there twice in one object");
    }
    if (error) {
        return std::unexpected(fmt::format("the body is no JSON: {}", error.message()));
    }
    const json::value value = json::parse(body, error, {}, {.max_depth = max_json_body_depth});
    if (error) {
        return std::unexpected(fmt::format("the body is no JSON: {}", error.message()));
    }
    if (!value.is_object()) {
        return std::unexpected("the body is no JSON object");
    }
    for (const auto& member : value.get_object()) {
        if (std::ranges::find(members, std::string_view(member.key())) == members.end()) {
            return std::unexpected(
                fmt::format("there is no member '{}'", std::string_view(member.key()))
            );
        }
    }
    return value.get_object();
}

std::expected<std::int64_t, std::string> read_whole_number(
    const json::object& object, std::string_view name, std::int64_t low, std::int64_t high
) {
    const json::value* value = object.if_contains(name);
    if (value == nullptr) {
        return std::unexpected(fmt::format("'{}' is missing", name));
    }
    if (!value->is_int64() || value->get_int64() < low || value->get_int64() > high) {
        return std::unexpected(fmt::format("'{}' is a whole number from {} to {}", name, low, high)
        );
    }
    return value->get_int64();
}

} // namespace penstock
