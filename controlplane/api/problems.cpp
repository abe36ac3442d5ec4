// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/problems.hpp"

#include "controlplane/api/views.hpp"

#include <array>
#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <utility>

namespace penstock {

namespace json = boost::json;

namespace {

struct KindText {
    ChangeErrorKind kind;
    unsigned status;
    std::string_view type;
    std::string_view title;
};

constexpr std::array<KindText, 9> kinds{{
    {ChangeErrorKind::not_found, 404, "not-found", "There is no such thing"},
    {ChangeErrorKind::invalid_configuration,
     422,
     "invalid-configuration",
     "The configuration is not valid"},
    {ChangeErrorKind::refused_by_dataplane,
     409,
     "refused-by-dataplane",
     "penstock-dp refused the change"},
    {ChangeErrorKind::state_not_saved,
     500,
     "state-not-saved",
     "The state directory could not be written"},
    {ChangeErrorKind::confirmation_pending,
     409,
     "confirmation-pending",
     "A configuration is on trial"},
    {ChangeErrorKind::nothing_to_confirm, 409, "nothing-to-confirm", "No configuration is on trial"
    },
    {ChangeErrorKind::nothing_to_go_back_to,
     404,
     "no-such-history",
     "There is nothing to go back to"},
    {ChangeErrorKind::last_healthy_backend,
     409,
     "last-healthy-backend",
     "The service would have no backend"},
    {ChangeErrorKind::changed_meanwhile, 412, "changed-meanwhile", "The state has changed meanwhile"
    },
}};
static_assert(static_cast<std::size_t>(ChangeErrorKind::changed_meanwhile) + 1 == kinds.size());

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
    const KindText& text =
        kinds.at(static_cast<std::size_t>(error.kind)); // in the enumeration's order
    const Problem problem{
        .status = text.status,
        .type = std::string(text.type),
        .title = std::string(text.title),
        .detail = error.detail,
        .remedy = error.remedy,
    };
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
    HttpResponse response = make_json_response(document, result->live ? 200 : 202);
    response.detail = result->detail;
    return response;
}

} // namespace penstock
