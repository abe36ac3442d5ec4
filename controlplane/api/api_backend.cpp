// SPDX-License-Identifier: Apache-2.0
// Api, services and backends: what they are, and what the operator says about them.
#include "controlplane/api/api.hpp"
#include "controlplane/api/json_body.hpp"
#include "controlplane/api/problems.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <utility>

namespace penstock {

namespace json = boost::json;

namespace {

constexpr std::uint64_t max_page = 65536; ///< more than there can be

HttpResponse no_such_service(std::string_view name) {
    return not_found(fmt::format("there is no service '{}'", name), "GET /v1/services lists them");
}

/// The part of the list `name` that was asked for, with `total` and where the next part begins. Nothing if
/// offset or limit is no number.
std::optional<json::object>
cut_page(json::object document, std::string_view name, const Target& target) {
    const auto offset = find_number(target, "offset", 0, max_page);
    const auto limit = find_number(target, "limit", max_page, max_page);
    if (!offset || !limit || *limit == 0) {
        return std::nullopt;
    }
    json::array& all = document[name].as_array();
    const std::size_t total = all.size();
    const std::size_t begin = std::min<std::size_t>(*offset, total);
    const std::size_t end = std::min<std::size_t>(begin + *limit, total);
    if (begin > 0 || end < total) {
        all.erase(all.begin() + static_cast<std::ptrdiff_t>(end), all.end());
        all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(begin));
    }
    document["total"] = total;
    document["next"] = end < total ? json::value(end) : json::value(nullptr);
    return document;
}

HttpResponse
make_page_response(json::object document, std::string_view name, const Target& target) {
    auto page = cut_page(std::move(document), name, target);
    return page ? make_json_response(*page) : bad_request("offset is a number, limit 1 to 65536");
}

} // namespace

void Api::get_services(Call call, Respond respond) {
    const auto statistics = read_statistics();
    respond(make_page_response(
        make_services_view(reconciler_, statistics ? &*statistics : nullptr),
        "services",
        call.target
    ));
}

void Api::get_service(Call call, Respond respond) {
    const auto statistics = read_statistics();
    const std::string& name = call.names.at(0);
    const json::value view =
        make_service_view(reconciler_, statistics ? &*statistics : nullptr, name);
    respond(view.is_null() ? no_such_service(name) : make_json_response(view));
}

void Api::get_backends(Call call, Respond respond) {
    const auto statistics = read_statistics();
    const auto asked = call.target.parameters.find("service");
    const bool one = asked != call.target.parameters.end();
    json::value view = make_backends_view(
        reconciler_,
        statistics ? &*statistics : nullptr,
        one ? std::optional<std::string_view>(asked->second) : std::nullopt
    );
    respond(
        view.is_null() ? no_such_service(asked->second)
                       : make_page_response(std::move(view.as_object()), "backends", call.target)
    );
}

void Api::post_drain(Call call, Respond respond) {
    set_admin(std::move(call), AdminState::drain, std::move(respond));
}

void Api::post_enable(Call call, Respond respond) {
    set_admin(std::move(call), AdminState::ready, std::move(respond));
}

void Api::post_disable(Call call, Respond respond) {
    set_admin(std::move(call), AdminState::disabled, std::move(respond));
}

void Api::set_admin(Call call, AdminState admin, Respond respond) {
    json::object extra{
        {"service", call.names.at(0)}, {"backend", call.names.at(1)}, {"admin", to_string(admin)}
    };
    reconciler_.set_override(
        {.service = call.names[0],
         .backend = call.names[1],
         .admin = admin,
         .weight = std::nullopt,
         .force = is_flag_set(call.target, "force"),
         .actor = call.request.actor},
        [extra = std::move(extra), respond = std::move(respond)](const ChangeResult& result
        ) mutable { respond(make_change_response(result, std::move(extra))); }
    );
}

void Api::put_weight(Call call, Respond respond) {
    const auto body = parse_json_body(call.request.body, {"weight"});
    const auto weight =
        body ? read_whole_number(*body, "weight", 0, 65535)
             : std::expected<std::int64_t, std::string>(std::unexpected(body.error()));
    if (!weight) {
        respond(bad_request(weight.error(), "for example {\"weight\": 50}"));
        return;
    }
    json::object extra{
        {"service", call.names.at(0)}, {"backend", call.names.at(1)}, {"weight", *weight}
    };
    reconciler_.set_override(
        {.service = call.names[0],
         .backend = call.names[1],
         .admin = std::nullopt,
         .weight = static_cast<std::uint16_t>(*weight),
         .force = is_flag_set(call.target, "force"),
         .actor = call.request.actor},
        [extra = std::move(extra), respond = std::move(respond)](const ChangeResult& result
        ) mutable { respond(make_change_response(result, std::move(extra))); }
    );
}

} // namespace penstock
