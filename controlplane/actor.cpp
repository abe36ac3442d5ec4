// SPDX-License-Identifier: Apache-2.0
#include "controlplane/actor.hpp"

#include <fmt/format.h>

namespace penstock {

std::string_view to_string(Role role) {
    switch (role) {
    case Role::none:
        return "none";
    case Role::view:
        return "viewer";
    case Role::operate:
        return "operator";
    case Role::administer:
        return "admin";
    }
    return "none";
}

std::string to_string(const Actor& actor) {
    if (actor.user.empty()) {
        return actor.from;
    }
    const std::string pid = actor.pid ? fmt::format(" (pid {})", *actor.pid) : std::string();
    return fmt::format("{}{} by {}", actor.user, pid, actor.from);
}

} // namespace penstock
