// SPDX-License-Identifier: Apache-2.0
// The table of routes: the one place that says which requests there are, who may send them and what
// they take. Dispatch (Api::handle()), the OpenAPI document (openapi.hpp) and the list in
// docs/reference/api.md all come from it; a new request is a row here and a function of Api.
//
// Thread rule: constant data and pure functions.
#pragma once

#include "controlplane/actor.hpp"
#include "controlplane/api/http.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

class Api;

/// A request on its way to the function that answers it.
struct Call {
    HttpRequest request;
    Target target;
    std::vector<std::string> names; ///< what stands in the places of `{…}`, in order
};

enum class ParameterKind : std::uint8_t { text, number, flag };

struct QueryParameter {
    std::string_view name;
    ParameterKind kind = ParameterKind::text;
    std::string_view text; ///< whole sentence
};

struct Route {
    std::string_view method;      ///< "GET"
    std::string_view path;        ///< "/v1/services/{service}"
    std::string_view operation;   ///< "getService"; unique
    Role role = Role::administer; ///< who may
    std::string_view summary;
    std::span<const QueryParameter> parameters{};
    std::string_view takes{};                    ///< content type of the body; empty: no body
    std::string_view takes_schema{};             ///< of a JSON body
    std::string_view gives = "application/json"; ///< content type of a good reply
    std::string_view gives_schema{};             ///< of a JSON reply
    bool is_change = false;                      ///< replies as a change does: 200 or 202
    void (Api::*answer)(Call, Respond) = nullptr;
};

[[nodiscard]] std::span<const Route> routes();

/// Fits if the path has the same segments; `{…}` stands for any one that is not empty.
[[nodiscard]] bool fits(const Route& route, std::span<const std::string> segments);

/// Methods that fit a path, in the order of the table: "GET, POST"; empty if none does.
[[nodiscard]] std::string allowed_methods(std::span<const std::string> segments);

/// What stands in the places of `{…}`. REQUIRES: fits().
[[nodiscard]] std::vector<std::string>
names_in(const Route& route, std::span<const std::string> segments);

} // namespace penstock
