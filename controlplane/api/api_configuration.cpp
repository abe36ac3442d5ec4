// SPDX-License-Identifier: Apache-2.0
// Api, the configuration: as it is, as it shall be, and what the difference would do.
#include "controlplane/api/api.hpp"
#include "controlplane/api/problems.hpp"
#include "controlplane/state/change_plan.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <utility>

namespace penstock {

namespace {

constexpr int max_plans = 4;

HttpResponse planner_is_busy() {
    return make_problem_response({
        .status = 503,
        .type = "busy",
        .title = "Too many diffs at once",
        .detail = fmt::format("{} are being made", max_plans),
        .remedy = "try again in a moment",
    });
}

/// Live flows by backend.
std::map<BackendRef, std::uint64_t> collect_flows(const Statistics& statistics) {
    std::map<std::uint16_t, const ServiceKey*> keys;
    for (const ServiceSample& service : statistics.services) {
        keys[service.id.value] = &service.key;
    }
    std::map<BackendRef, std::uint64_t> flows;
    for (const BackendSample& backend : statistics.backends) {
        const auto owner = keys.find(backend.service.value);
        if (owner != keys.end() && backend.desired && backend.flows > 0) {
            flows[{.service = *owner->second, .backend = backend.key}] = backend.flows;
        }
    }
    return flows;
}

} // namespace

void Api::get_configuration(Call /*call*/, Respond respond) {
    HttpResponse response{
        .status = 200,
        .content_type = "application/toml",
        .body = reconciler_.configuration_text(),
        .fields = {},
    };
    response.fields.emplace_back(
        "Penstock-Generation", std::to_string(reconciler_.desired().generation)
    );
    respond(std::move(response));
}

void Api::post_configuration(Call call, Respond respond) {
    const auto confirm_s = find_number(
        call.target, "confirm", 0, static_cast<std::uint64_t>(max_confirm_window.count())
    );
    if (!confirm_s) {
        respond(bad_request("confirm is a number of seconds, at most 86400"));
        return;
    }
    reconciler_.apply_configuration(
        {.text = std::move(call.request.body),
         .name = find_text(call.target, "name", "request"),
         .source = ReloadSource::api,
         .actor = call.request.actor,
         .confirm_within =
             *confirm_s == 0 ? std::nullopt : std::optional(std::chrono::seconds(*confirm_s))},
        [this, respond = std::move(respond)](const ChangeResult& result) mutable {
            std::size_t backends = 0;
            const auto& services = reconciler_.configuration().services;
            for (const config::ServiceConfig& service : services) {
                backends += service.spec.backends.size();
            }
            respond(make_change_response(
                result,
                {{"services", services.size()},
                 {"backends", backends},
                 {"confirmation", make_confirmation_view(reconciler_)}}
            ));
        }
    );
}

void Api::post_diff(Call call, Respond respond) {
    if (*plans_ >= max_plans) {
        respond(planner_is_busy());
        return;
    }
    auto after =
        config::parse_configuration(call.request.body, find_text(call.target, "name", "request"));
    if (!after) {
        respond(make_error_response({
            .kind = ChangeErrorKind::invalid_configuration,
            .detail =
                fmt::format("{} errors; a diff needs a valid configuration", after.error().size()),
            .remedy = "mend the lines below and try again",
            .diagnostics = std::move(after.error()),
        }));
        return;
    }
    auto input = std::make_shared<PlanInput>(reconciler_.make_plan_input(std::move(*after)));
    if (const auto statistics = read_statistics()) {
        input->flows = collect_flows(*statistics);
    }
    ++*plans_;
    // Building tables takes milliseconds for one service and seconds for thousands: beside the loop.
    boost::asio::post(
        planner_,
        [input, &loop = loop_, plans = plans_, respond = std::move(respond)]() mutable {
            auto response = std::make_shared<HttpResponse>(
                make_json_response(make_plan_view(make_change_plan(*input)))
            );
            boost::asio::post(loop, [plans, response, respond = std::move(respond)]() mutable {
                --*plans;
                respond(std::move(*response));
            });
        }
    );
}

} // namespace penstock
