// SPDX-License-Identifier: Apache-2.0
// Who asked for a change, and from where: what history, events and the audit log say about it.
//
// Thread rule: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

/// What somebody may do; each may do what the ones before it may.
enum class Role : std::uint8_t {
    none,
    view,       ///< look
    operate,    ///< overrides: drain, weight, enable; confirm
    administer, ///< the configuration
};

/// "none", "viewer", "operator", "admin".
[[nodiscard]] std::string_view to_string(Role role);

struct Actor {
    std::string user; ///< "root"; "uid 1007" if the machine has no name for it; empty: not known
    std::optional<std::uint32_t> uid;
    std::optional<std::int32_t> pid;
    std::string from; ///< "control.sock", "signal", "start"
    Role role = Role::none;
};

/// "root (pid 4711) by control.sock"; "start" for what penstock-cp does by itself.
[[nodiscard]] std::string to_string(const Actor& actor);

} // namespace penstock
