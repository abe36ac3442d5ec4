// SPDX-License-Identifier: Apache-2.0
// Api, overrides: what they are, away with them, and the configuration with them written in.
#include "controlplane/api/api.hpp"
#include "controlplane/api/problems.hpp"
#include "controlplane/state/adopted_text.hpp"

#include <utility>

namespace penstock {

void Api::get_overrides(Call /*call*/, Respond respond) {
    respond(make_json_response(make_overrides_view(reconciler_)));
}

void Api::get_adopted_configuration(Call /*call*/, Respond respond) {
    auto text = adopt_overrides(
        reconciler_.newest_text(), reconciler_.configuration(), reconciler_.overrides()
    );
    if (!text) {
        respond(make_problem_response({
            .status = 409,
            .type = "not-adoptable",
            .title = "The overrides cannot be written into this configuration",
            .detail = text.error(),
            .remedy = "penstock override list shows them: write them into the file by hand",
        }));
        return;
    }
    respond(
        {.status = 200, .content_type = "application/toml", .body = std::move(*text), .fields = {}}
    );
}

void Api::delete_overrides(Call call, Respond respond) {
    reconciler_.clear_overrides(
        call.request.actor,
        [respond = std::move(respond)](const ChangeResult& result) mutable {
            respond(make_change_response(result, {}));
        }
    );
}

void Api::delete_override(Call call, Respond respond) {
    boost::json::object extra{{"service", call.names.at(0)}, {"backend", call.names.at(1)}};
    reconciler_.clear_override(
        call.names.at(0),
        call.names.at(1),
        call.request.actor,
        [extra = std::move(extra), respond = std::move(respond)](const ChangeResult& result
        ) mutable { respond(make_change_response(result, std::move(extra))); }
    );
}

} // namespace penstock
