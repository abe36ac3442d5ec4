// SPDX-License-Identifier: Apache-2.0
// The OpenAPI 3.1 document of the API, made from the table of routes. Served as /v1/openapi.json;
// docs/reference/openapi.json is `penstock-cp --openapi`, and a test holds the two equal.
//
// Thread rule: pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace penstock {

[[nodiscard]] boost::json::object make_openapi_document();

/// On lines, indented by two, for people and for diffs.
[[nodiscard]] std::string print_openapi_document();

} // namespace penstock
