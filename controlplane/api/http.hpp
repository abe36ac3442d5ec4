// SPDX-License-Identifier: Apache-2.0
// A request and a response as plain values: what the handlers see, so that only server.cpp knows
// Beast.
//
// Thread rule: plain values.
#pragma once

#include "controlplane/actor.hpp"

#include <boost/json/fwd.hpp>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock {

inline constexpr std::size_t max_head_bytes = 16U << 10U;
inline constexpr std::size_t max_body_bytes = 8U << 20U;

/// Of /v1/config and what is below it: a configuration with its access lists (config/file_pack.hpp).
inline constexpr std::size_t max_configuration_bytes = 65U << 20U;

struct HttpRequest {
    std::string method; ///< "GET"
    std::string target; ///< "/v1/events?after=3", as it was sent
    std::string body;
    std::string if_match{};      ///< header field; empty: none
    std::string last_event_id{}; ///< header field; empty: none
    Actor actor{};               ///< who is at the other end
};

/// Takes the next part of a body that goes on; nothing ends it.
using TakeChunk = std::move_only_function<void(std::optional<std::string>)>;
/// Asks for the next part; the answer may come at any later time. Asked again only after it.
using NextChunk = std::move_only_function<void(TakeChunk)>;

struct HttpResponse {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> fields; ///< further header fields
    std::string detail{};                                    ///< what the audit log says of it
    NextChunk next_chunk{
    }; ///< set: the body is what this gives, chunk by chunk, and `body` is not sent
};

/// Called once, on the loop's thread, now or later.
using Respond = std::move_only_function<void(HttpResponse)>;

/// What answers requests.
using HttpHandler = std::function<void(HttpRequest, Respond)>;

/// A target taken apart: segments and parameters with percent-encoding undone.
struct Target {
    std::vector<std::string> segments;             ///< "/v1/services/web" → v1, services, web
    std::map<std::string, std::string> parameters; ///< of the query
};

/// Nothing for a target with bad percent-encoding, a doubled parameter or a NUL.
[[nodiscard]] std::optional<Target> parse_target(std::string_view target);

[[nodiscard]] HttpResponse
make_json_response(const boost::json::value& value, unsigned status = 200);

/// RFC 9457. `type` without the "urn:penstock:problem:" in front; `extra` holds further members.
struct Problem {
    unsigned status = 400;
    std::string type;
    std::string title;
    std::string detail;
    std::string remedy; ///< may be empty
};

[[nodiscard]] boost::json::object make_problem_object(const Problem& problem);
[[nodiscard]] HttpResponse make_problem_response(const Problem& problem);
[[nodiscard]] HttpResponse
make_problem_response(unsigned status, const boost::json::object& document);

} // namespace penstock
