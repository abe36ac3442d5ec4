// SPDX-License-Identifier: Apache-2.0
// A JSON body of a request, read without trust: at most max_json_body_bytes, max_json_body_depth deep,
// UTF-8, no key twice in an object, no member that nobody asked for.
//
// Thread rule: pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <string>
#include <string_view>

namespace penstock {

inline constexpr std::size_t max_json_body_bytes = 64U << 10U;
inline constexpr std::size_t max_json_body_depth = 8;

/// The object, or what is wrong in a sentence. `members` are the names that it may have.
[[nodiscard]] std::expected<boost::json::object, std::string>
parse_json_body(std::string_view body, std::initializer_list<std::string_view> members);

/// A whole number from `low` to `high`, or what is wrong.
[[nodiscard]] std::expected<std::int64_t, std::string> read_whole_number(
    const boost::json::object& object, std::string_view name, std::int64_t low, std::int64_t high
);

} // namespace penstock
