// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/problems.hpp"

#include "controlplane/api/views.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <utility>

namespace penstock {

namespace json = boost::json;

namespace {

/// Status, type and title of every ChangeErrorKind.
Problem describe_kind(ChangeErrorKind kind) {
    switch (kind) {
    case ChangeErrorKind::not_found:
        return {
            .status = 404,
            .type = "not-found",
            .title = "There is no such thing",
            .detail = {},
            .remedy = {}
        };
    case ChangeErrorKind::invalid_configuration:
        return {
            .status = 422,
            .type = "invalid-configuration",
            .title = "The configuration is not valid",
            .detail = {},
            .remedy = {}
        };
    case ChangeErrorKind::refused_by_dataplane:
        return {
            .status = 409,
            .type = "refused-by-dataplane",
            .title = "penstock-dp refused the change",
            .detail = {},
            .remedy = {}
        };
    case ChangeErrorKind::state_not_saved:
        return {
            .status = 500,
            .type = "state-not-saved",
            .title = "The state directory could not be written",
            .detail = {},
            .remedy = {}
        };
    }
    __builtin_unreachable();
}

} // namespace

HttpResponse not_found(std::string detail, std::string remedy) {
    return make_problem_response({
        .status = 404,
        .type = "not-found",
        .title = "There is no such thing",
        .detail = std::move(detail),
        .remedy = std::move(remedy),
    });
}

HttpResponse bad_request(std::string detail, std::string remedy) {
    return make_problem_response({
        .status = 400,
        .type = "bad-request",
        .title = "The request is not understood",
        .detail = std::move(detail),
        .remedy = std::move(remedy),
    });
}

HttpResponse wrong_method(std::string_view method, const std::string& allowed) {
    HttpResponse response = make_problem_response({
        .status = 405,
        .type = "method-not-allowed",
        .title = "Wrong method",
        .detail = fmt::format("{} is not possible here", method),
        .remedy = fmt::format("use {}", allowed),
    });
    response.fields.emplace_back("Allow", allowed);
    return response;
}

HttpResponse statistics_unavailable(const Refusal& refusal) {
    return make_problem_response({
        .status = 503,
        .type = "statistics-unavailable",
        .title = "The statistics of penstock-dp cannot be read",
        .detail = refusal.place.empty() ? refusal.cause
                                        : fmt::format("{}: {}", refusal.place, refusal.cause),
        .remedy = refusal.remedy,
    });
}

HttpResponse make_error_response(const ChangeError& error) {
    Problem problem = describe_kind(error.kind);
    problem.detail = error.detail;
    problem.remedy = error.remedy;
    json::object document = make_problem_object(problem);
    if (!error.diagnostics.empty()) {
        document["diagnostics"] = make_diagnostics_view(error.diagnostics);
    }
    return make_problem_response(problem.status, document);
}

HttpResponse make_change_response(const ChangeResult& result, json::object extra) {
    if (!result) {
        return make_error_response(result.error());
    }
    json::object document = make_change_view(*result);
    for (auto& member : extra) {
        document[member.key()] = std::move(member.value());
    }
    return make_json_response(document, result->live ? 200 : 202);
}

} // namespace penstock
