// SPDX-License-Identifier: Apache-2.0
// What the operator said about single backends at run time: drain, disable, take after all, weigh otherwise. It
// stands above the configuration, survives restarts, and ends when the backend leaves the
// configuration.
//
// Thread rule: plain value.
#pragma once

#include "controlplane/actor.hpp"
#include "controlplane/backend_ref.hpp"
#include "dataplane/api/refusal.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

struct Override {
    std::optional<AdminState> admin;     ///< nothing: what the configuration says
    std::optional<std::uint16_t> weight; ///< nothing: what the configuration says
    Actor actor;                         ///< who said it last
    std::string since;                   ///< RFC 3339; empty: not known

    friend bool operator==(const Override& a, const Override& b) {
        return a.admin == b.admin && a.weight == b.weight;
    }
};

using Overrides = std::map<BackendRef, Override>;

/// The content of the file `overrides.json`: {"version":2,"overrides":[{"vip":…,"protocol":…,
/// "service_port":…,"address":…,"port":…,"admin":…,"weight":…,"actor":…,"since":…}]}.
[[nodiscard]] std::string format_overrides(const Overrides& overrides);

/// The reverse; version 1, which had no weights, is understood too. Anything else is an error,
/// whole.
[[nodiscard]] std::expected<Overrides, Refusal> parse_overrides(std::string_view text);

} // namespace penstock
