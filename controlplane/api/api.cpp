// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/api.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <charconv>
#include <fmt/format.h>
#include <utility>

namespace penstock {

namespace json = boost::json;

namespace {

constexpr std::size_t max_events = 1000;
constexpr std::uint64_t max_wait_s = 30;

HttpResponse not_found(std::string detail, std::string remedy = "") {
    return make_problem_response({
        .status = 404,
        .type = "not-found",
        .title = "There is no such thing",
        .detail = std::move(detail),
        .remedy = std::move(remedy),
    });
}

HttpResponse bad_request(std::string detail) {
    return make_problem_response({
        .status = 400,
        .type = "bad-request",
        .title = "The request is not understood",
        .detail = std::move(detail),
        .remedy = "",
    });
}

HttpResponse wrong_method(const std::string& method, const std::string& allowed) {
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

/// The number in a parameter, `fallback` without the parameter, nothing if it is none or above
/// `limit`.
std::optional<std::uint64_t> find_number(
    const Target& target, const std::string& name, std::uint64_t fallback, std::uint64_t limit
) {
    const auto found = target.parameters.find(name);
    if (found == target.parameters.end()) {
        return fallback;
    }
    const std::string& text = found->second;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > limit) {
        return std::nullopt;
    }
    return value;
}

std::optional<AdminState> find_admin(std::string_view verb) {
    if (verb == "drain") {
        return AdminState::drain;
    }
    if (verb == "enable") {
        return AdminState::ready;
    }
    if (verb == "disable") {
        return AdminState::disabled;
    }
    return std::nullopt;
}

HttpResponse make_error_response(const ChangeError& error) {
    Problem problem{.detail = error.detail, .remedy = error.remedy};
    switch (error.kind) {
    case ChangeErrorKind::not_found:
        return not_found(error.detail, error.remedy);
    case ChangeErrorKind::invalid_configuration:
        problem.status = 422;
        problem.type = "invalid-configuration";
        problem.title = "The configuration is not valid";
        break;
    case ChangeErrorKind::refused_by_dataplane:
        problem.status = 409;
        problem.type = "refused-by-dataplane";
        problem.title = "penstock-dp refused the change";
        break;
    case ChangeErrorKind::state_not_saved:
        problem.status = 500;
        problem.type = "state-not-saved";
        problem.title = "The state directory could not be written";
        break;
    }
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

} // namespace

Api::Api(
    boost::asio::io_context& loop,
    Reconciler& reconciler,
    EventLog& events,
    Instance instance,
    std::string statistics_path
)
    : reconciler_(reconciler),
      events_(events),
      instance_(std::move(instance)),
      statistics_path_(std::move(statistics_path)),
      event_timer_(loop) {
    // On the next turn of the loop, so that events of one cause are answered together and no
    // handler runs inside another.
    events_.set_observer([this] {
        if (!event_waiters_.empty()) {
            event_timer_.expires_after(std::chrono::milliseconds(0));
            schedule_event_waiters();
        }
    });
}

void Api::handle(HttpRequest request, Respond respond) {
    const auto target = parse_target(request.target);
    if (!target) {
        respond(bad_request("the path or query is not well-formed"));
        return;
    }
    if (target->segments.empty() || target->segments.front() != "v1") {
        respond(not_found(fmt::format("no such path: {}", request.target), "paths begin with /v1/")
        );
        return;
    }
    if (request.method == "GET") {
        handle_get(*target, std::move(respond));
    } else if (request.method == "POST") {
        handle_post(*target, std::move(request), std::move(respond));
    } else {
        respond(wrong_method(request.method, "GET, POST"));
    }
}

void Api::handle_get(const Target& target, Respond respond) {
    const auto& path = target.segments;
    const std::string_view noun = path.size() > 1 ? std::string_view(path[1]) : "";
    if (path.size() == 2 && noun == "status") {
        const auto statistics = read_statistics();
        respond(make_json_response(
            make_status_view(reconciler_, statistics ? &*statistics : nullptr, instance_)
        ));
        return;
    }
    if (path.size() == 2 && noun == "events") {
        get_events(target, std::move(respond));
        return;
    }
    if (path.size() == 2 && noun == "config") {
        get_configuration(std::move(respond));
        return;
    }
    if (path.size() == 2 && (noun == "stats" || noun == "drops")) {
        const auto statistics = read_statistics();
        if (!statistics) {
            respond(statistics_unavailable(statistics.error()));
            return;
        }
        respond(make_json_response(
            noun == "stats" ? make_stats_view(*statistics) : make_drops_view(*statistics)
        ));
        return;
    }
    if ((path.size() == 2 && (noun == "services" || noun == "backends")) ||
        (path.size() == 3 && noun == "services")) {
        const auto read = read_statistics();
        const Statistics* statistics = read ? &*read : nullptr;
        if (noun == "services" && path.size() == 2) {
            respond(make_json_response(make_services_view(reconciler_, statistics)));
            return;
        }
        const auto asked = target.parameters.find("service");
        const bool one = noun == "services" || asked != target.parameters.end();
        const std::string name = noun == "services" ? path[2] : one ? asked->second : "";
        const json::value view =
            noun == "services" ? make_service_view(reconciler_, statistics, name)
                               : make_backends_view(
                                     reconciler_,
                                     statistics,
                                     one ? std::optional<std::string_view>(name) : std::nullopt
                                 );
        respond(
            view.is_null()
                ? not_found(
                      fmt::format("there is no service '{}'", name), "GET /v1/services lists them"
                  )
                : make_json_response(view)
        );
        return;
    }
    if (path.size() == 6 && noun == "services" && path[3] == "backends" && find_admin(path[5])) {
        respond(wrong_method("GET", "POST"));
        return;
    }
    respond(not_found("no such path", "docs/reference/api.md lists them"));
}

void Api::handle_post(const Target& target, HttpRequest request, Respond respond) {
    const auto& path = target.segments;
    const std::string_view noun = path.size() > 1 ? std::string_view(path[1]) : "";
    if (path.size() == 2 && noun == "config") {
        post_configuration(target, std::move(request), std::move(respond));
        return;
    }
    if (path.size() == 6 && noun == "services" && path[3] == "backends") {
        if (const auto admin = find_admin(path[5])) {
            post_admin(target, *admin, std::move(respond));
            return;
        }
    }
    static constexpr std::array<std::string_view, 6> readable{
        "status", "services", "backends", "stats", "drops", "events"
    };
    if (path.size() <= 3 && std::ranges::find(readable, noun) != readable.end()) {
        respond(wrong_method("POST", "GET"));
        return;
    }
    respond(not_found("no such path", "docs/reference/api.md lists them"));
}

void Api::get_configuration(Respond respond) {
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

void Api::post_configuration(const Target& target, HttpRequest request, Respond respond) {
    const auto found = target.parameters.find("name");
    const std::string name = found == target.parameters.end() ? "request" : found->second;
    reconciler_.apply_configuration(
        std::move(request.body),
        name,
        ReloadSource::api,
        [this, respond = std::move(respond)](const ChangeResult& result) mutable {
            std::size_t backends = 0;
            const auto& services = reconciler_.configuration().services;
            for (const config::ServiceConfig& service : services) {
                backends += service.spec.backends.size();
            }
            respond(make_change_response(
                result, {{"services", services.size()}, {"backends", backends}}
            ));
        }
    );
}

void Api::post_admin(const Target& target, AdminState admin, Respond respond) {
    const std::string& service = target.segments[2];
    const std::string& backend = target.segments[4];
    json::object extra{{"service", service}, {"backend", backend}, {"admin", to_string(admin)}};
    reconciler_.set_admin(
        service,
        backend,
        admin,
        [extra = std::move(extra), respond = std::move(respond)](const ChangeResult& result
        ) mutable { respond(make_change_response(result, std::move(extra))); }
    );
}

void Api::get_events(const Target& target, Respond respond) {
    auto after = find_number(target, "after", 0, UINT64_MAX);
    const auto limit = find_number(target, "limit", max_events, max_events);
    const auto wait_s = find_number(target, "wait", 0, max_wait_s);
    if (!after || !limit || *limit == 0 || !wait_s) {
        respond(bad_request("after is a number, limit 1 to 1000, wait 0 to 30 seconds"));
        return;
    }
    const auto asked = target.parameters.find("instance");
    if (asked != target.parameters.end() && asked->second != instance_.id) {
        after = 0;
    }
    if (*wait_s == 0 || events_.newest() > *after) {
        respond(make_json_response(make_events_view(events_, instance_, *after, *limit)));
        return;
    }
    event_waiters_.push_back({
        .after = *after,
        .limit = static_cast<std::size_t>(*limit),
        .deadline = std::chrono::steady_clock::now() + std::chrono::seconds(*wait_s),
        .respond = std::move(respond),
    });
    serve_event_waiters();
}

void Api::serve_event_waiters() {
    const auto now = std::chrono::steady_clock::now();
    for (auto waiter = event_waiters_.begin(); waiter != event_waiters_.end();) {
        if (events_.newest() <= waiter->after && waiter->deadline > now) {
            ++waiter;
            continue;
        }
        EventWaiter ready = std::move(*waiter);
        waiter = event_waiters_.erase(waiter);
        ready.respond(
            make_json_response(make_events_view(events_, instance_, ready.after, ready.limit))
        );
    }
    if (!event_waiters_.empty()) {
        event_timer_.expires_at(
            std::ranges::min_element(event_waiters_, {}, &EventWaiter::deadline)->deadline
        );
        schedule_event_waiters();
    }
}

void Api::schedule_event_waiters() {
    event_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            serve_event_waiters();
        }
    });
}

std::expected<Statistics, Refusal> Api::read_statistics() {
    if (!statistics_ || statistics_->is_replaced()) {
        auto opened = StatisticsReader::open(statistics_path_);
        if (!opened) {
            // What an ended dataplane left behind is still mapped and still true.
            if (statistics_) {
                return statistics_->read();
            }
            return std::unexpected(opened.error());
        }
        statistics_.emplace(std::move(*opened));
    }
    return statistics_->read();
}

} // namespace penstock
