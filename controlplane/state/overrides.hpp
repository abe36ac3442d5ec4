// SPDX-License-Identifier: Apache-2.0
// What the operator said about single backends at run time: drain, disable, or take after all. It
// stands above the configuration, survives restarts, and ends when the backend leaves the
// configuration.
//
// Thread rule: plain value.
#pragma once

#include "controlplane/backend_ref.hpp"
#include "dataplane/api/refusal.hpp"

#include <expected>
#include <map>
#include <string>
#include <string_view>

namespace penstock {

using Overrides = std::map<BackendRef, AdminState>;

/// The content of the file `overrides.json`: {"version":1,"overrides":[{"vip":…,"protocol":…,
/// "service_port":…,"address":…,"port":…,"admin":…}]}.
[[nodiscard]] std::string format_overrides(const Overrides& overrides);

/// The reverse. Anything that format_overrides() would not have written is an error, whole.
[[nodiscard]] std::expected<Overrides, Refusal> parse_overrides(std::string_view text);

} // namespace penstock
