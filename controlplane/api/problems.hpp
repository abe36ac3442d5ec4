// SPDX-License-Identifier: Apache-2.0
// The refusals of the API (docs/reference/api.md, "Errors"), each an RFC 9457 problem document.
//
// Thread rule: pure functions.
#pragma once

#include "controlplane/api/http.hpp"
#include "controlplane/state/change.hpp"
#include "dataplane/api/refusal.hpp"

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace penstock {

[[nodiscard]] HttpResponse not_found(std::string detail, std::string remedy = "");
[[nodiscard]] HttpResponse bad_request(std::string detail, std::string remedy = "");
/// `allowed` as in the header field: "GET, POST".
[[nodiscard]] HttpResponse wrong_method(std::string_view method, const std::string& allowed);
[[nodiscard]] HttpResponse statistics_unavailable(const Refusal& refusal);
[[nodiscard]] HttpResponse make_error_response(const ChangeError& error);
/// The reply to a change; `extra` members are added to the document.
[[nodiscard]] HttpResponse
make_change_response(const ChangeResult& result, boost::json::object extra);

} // namespace penstock
