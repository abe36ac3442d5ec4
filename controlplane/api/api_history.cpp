// SPDX-License-Identifier: Apache-2.0
// Api, history: what was in force, going back to it, and ending a trial.
#include "controlplane/api/api.hpp"
#include "controlplane/api/problems.hpp"

#include <charconv>
#include <fmt/format.h>
#include <utility>

namespace penstock {

namespace {

std::optional<std::uint64_t> read_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(number)
                                                                    : std::nullopt;
}

} // namespace

void Api::get_history(Call call, Respond respond) {
    const auto before = find_number(call.target, "before", UINT64_MAX, UINT64_MAX);
    const auto limit = find_number(call.target, "limit", max_history_entries, max_history_entries);
    if (!before || !limit || *limit == 0) {
        respond(bad_request("before is a number, limit 1 to 100"));
        return;
    }
    respond(make_json_response(make_history_view(reconciler_, *before, *limit)));
}

void Api::get_history_text(Call call, Respond respond) {
    const auto number = read_number(call.names.at(0));
    if (!number || reconciler_.history().find(*number) == nullptr) {
        respond(not_found(
            fmt::format("the history has no number '{}'", call.names.at(0)),
            "GET /v1/history lists them"
        ));
        return;
    }
    auto text = reconciler_.history().read(*number);
    if (!text) {
        respond(not_found(to_string(text.error()), text.error().remedy));
        return;
    }
    respond(
        {.status = 200, .content_type = "application/toml", .body = std::move(*text), .fields = {}}
    );
}

void Api::post_rollback(Call call, Respond respond) {
    reconciler_.roll_back(
        std::nullopt,
        call.request.actor,
        [respond = std::move(respond)](const ChangeResult& result) mutable {
            respond(make_change_response(result, {}));
        }
    );
}

void Api::post_rollback_to(Call call, Respond respond) {
    const auto number = read_number(call.names.at(0));
    if (!number) {
        respond(bad_request(fmt::format("'{}' is no number of the history", call.names.at(0))));
        return;
    }
    reconciler_.roll_back(
        number,
        call.request.actor,
        [respond = std::move(respond)](const ChangeResult& result) mutable {
            respond(make_change_response(result, {}));
        }
    );
}

void Api::post_confirm(Call call, Respond respond) {
    reconciler_.confirm(
        call.request.actor,
        [respond = std::move(respond)](const ChangeResult& result) mutable {
            respond(make_change_response(result, {}));
        }
    );
}

} // namespace penstock
