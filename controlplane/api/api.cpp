// SPDX-License-Identifier: Apache-2.0
// Api, the door: which route, who may, and the documents about the whole. Its other parts:
// api_backend.cpp, api_configuration.cpp, api_event.cpp.
#include "controlplane/api/api.hpp"

#include "controlplane/api/openapi.hpp"
#include "controlplane/api/problems.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <utility>

namespace penstock {

namespace {

HttpResponse forbid(const Actor& actor, const Route& route) {
    return make_problem_response({
        .status = 403,
        .type = "forbidden",
        .title = "This needs another role",
        .detail = fmt::format(
            "{} needs the role {}, and {} has {}",
            route.operation,
            to_string(route.role),
            actor.user.empty() ? "who asks" : actor.user,
            to_string(actor.role)
        ),
        .remedy = "roles come from the groups that penstock-cp was started with, from the token or "
                  "from [[api.client]]",
    });
}

/// What of the query the route does not take; empty: all is well.
std::string find_stranger(const Target& target, const Route& route) {
    for (const auto& [name, value] : target.parameters) {
        if (std::ranges::find(route.parameters, name, &QueryParameter::name) ==
            route.parameters.end()) {
            return name;
        }
    }
    return {};
}

/// `if_match` is empty, "*", or a list with `etag` in it.
bool fits_etag(std::string_view if_match, std::string_view etag) {
    return if_match.empty() || if_match == "*" || if_match.find(etag) != std::string_view::npos;
}

} // namespace

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

bool is_flag_set(const Target& target, const std::string& name) {
    const auto found = target.parameters.find(name);
    return found != target.parameters.end() && (found->second.empty() || found->second == "true");
}

std::string find_text(const Target& target, const std::string& name, std::string fallback) {
    const auto found = target.parameters.find(name);
    return found == target.parameters.end() ? std::move(fallback) : found->second;
}

Api::Api(
    boost::asio::io_context& loop,
    Reconciler& reconciler,
    EventLog& events,
    Instance instance,
    std::string statistics_path,
    AuditLog audit
)
    : loop_(loop),
      reconciler_(reconciler),
      events_(events),
      instance_(std::move(instance)),
      statistics_path_(std::move(statistics_path)),
      audit_(std::move(audit)),
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
    auto target = parse_target(request.target);
    if (!target) {
        respond(bad_request("the path or query is not well-formed"));
        return;
    }
    const auto& segments = target->segments;
    const auto table = routes();
    const auto route = std::ranges::find_if(table, [&](const Route& row) {
        return row.method == request.method && fits(row, segments);
    });
    if (route == table.end()) {
        const std::string allowed = allowed_methods(segments);
        respond(
            allowed.empty() ? not_found(
                                  fmt::format("no such path: {}", request.target),
                                  "GET /v1/openapi.json lists them"
                              )
                            : wrong_method(request.method, allowed)
        );
        return;
    }
    std::vector<std::string> names = names_in(*route, segments);
    Call call{
        .request = std::move(request), .target = std::move(*target), .names = std::move(names)
    };
    if (route->role > Role::view) {
        respond = audited(call, std::move(respond));
    }
    if (call.request.actor.role < route->role) {
        respond(forbid(call.request.actor, *route));
        return;
    }
    if (const std::string stranger = find_stranger(call.target, *route); !stranger.empty()) {
        respond(bad_request(fmt::format("{} has no parameter '{}'", route->operation, stranger)));
        return;
    }
    if (route->is_change && !fits_etag(call.request.if_match, etag())) {
        respond(make_error_response({
            .kind = ChangeErrorKind::changed_meanwhile,
            .detail = fmt::format(
                "If-Match is {}, but the state is {}; nothing was changed",
                call.request.if_match,
                etag()
            ),
            .remedy = "look at what has changed, then try again with the new ETag",
            .diagnostics = {},
        }));
        return;
    }
    respond = [this, respond = std::move(respond)](HttpResponse response) mutable {
        if (response.status < 300) {
            response.fields.emplace_back("ETag", etag());
        }
        respond(std::move(response));
    };
    (this->*route->answer)(std::move(call), std::move(respond));
}

/// Of all that is wanted: it changes with the configuration and with overrides.
std::string Api::etag() const {
    return fmt::format("\"{}\"", reconciler_.desired().generation);
}

Respond Api::audited(const Call& call, Respond respond) {
    AuditEntry entry{
        .actor = call.request.actor,
        .method = call.request.method,
        .target = call.request.target,
        .status = 0,
        .detail = {},
    };
    return [this, entry = std::move(entry), respond = std::move(respond)](HttpResponse response
           ) mutable {
        entry.status = response.status;
        entry.detail = response.detail;
        audit_.record(entry);
        respond(std::move(response));
    };
}

void Api::get_openapi(Call /*call*/, Respond respond) {
    respond(make_json_response(make_openapi_document()));
}

void Api::get_status(Call /*call*/, Respond respond) {
    const auto statistics = read_statistics();
    respond(make_json_response(make_status_view(
        reconciler_,
        statistics ? &*statistics : nullptr,
        instance_,
        network_ ? network_() : NetworkView{}
    )));
}

void Api::get_statistics(Call /*call*/, Respond respond) {
    const auto statistics = read_statistics();
    respond(
        statistics ? make_json_response(make_stats_view(*statistics))
                   : statistics_unavailable(statistics.error())
    );
}

void Api::get_drops(Call /*call*/, Respond respond) {
    const auto statistics = read_statistics();
    respond(
        statistics ? make_json_response(make_drops_view(*statistics))
                   : statistics_unavailable(statistics.error())
    );
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
