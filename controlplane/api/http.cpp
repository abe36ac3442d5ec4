// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/http.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

namespace penstock {

namespace json = boost::json;

namespace {

std::optional<std::string> decode_percent(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded.push_back(text[i]);
            continue;
        }
        unsigned value = 0;
        const std::string_view digits = text.substr(i + 1, 2);
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2 || value == 0) {
            return std::nullopt;
        }
        decoded.push_back(static_cast<char>(value));
        i += 2;
    }
    return decoded;
}

/// Calls take(part) for every part of `text` between separators; stops when it returns false.
template <typename Take>
bool split(std::string_view text, char separator, Take take) {
    while (true) {
        const std::size_t end = text.find(separator);
        if (!take(text.substr(0, end))) {
            return false;
        }
        if (end == std::string_view::npos) {
            return true;
        }
        text.remove_prefix(end + 1);
    }
}

bool add_parameter(Target& target, std::string_view pair) {
    if (pair.empty()) {
        return true;
    }
    const std::size_t equals = pair.find('=');
    auto name = decode_percent(pair.substr(0, equals));
    auto value = decode_percent(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
    return name && value && target.parameters.emplace(std::move(*name), std::move(*value)).second;
}

} // namespace

std::optional<Target> parse_target(std::string_view text) {
    if (!text.starts_with('/') || text.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    Target target;
    const std::size_t question = text.find('?');
    const std::string_view path =
        text.substr(1, question == std::string_view::npos ? question : question - 1);
    const bool path_is_good = split(path, '/', [&target](std::string_view part) {
        auto segment = decode_percent(part);
        if (segment) {
            target.segments.push_back(std::move(*segment));
        }
        return segment.has_value();
    });
    const bool query_is_good =
        question == std::string_view::npos ||
        split(text.substr(question + 1), '&', [&target](std::string_view pair) {
            return add_parameter(target, pair);
        });
    if (!path_is_good || !query_is_good) {
        return std::nullopt;
    }
    return target;
}

HttpResponse make_json_response(const json::value& value, unsigned status) {
    return {
        .status = status,
        .content_type = "application/json",
        .body = json::serialize(value) + "\n",
        .fields = {},
    };
}

json::object make_problem_object(const Problem& problem) {
    json::object document{
        {"type", "urn:penstock:problem:" + problem.type},
        {"title", problem.title},
        {"status", problem.status},
        {"detail", problem.detail},
    };
    if (!problem.remedy.empty()) {
        document["remedy"] = problem.remedy;
    }
    return document;
}

HttpResponse make_problem_response(const Problem& problem) {
    return make_problem_response(problem.status, make_problem_object(problem));
}

HttpResponse make_problem_response(unsigned status, const json::object& document) {
    HttpResponse response = make_json_response(document, status);
    if (const json::value* detail = document.if_contains("detail");
        detail != nullptr && detail->is_string()) {
        response.detail = detail->get_string();
    }
    response.content_type = "application/problem+json";
    return response;
}

} // namespace penstock
