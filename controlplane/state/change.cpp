// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/change.hpp"

#include <array>
#include <fmt/format.h>

namespace penstock {

ChangeError not_saved(const Refusal& refusal, std::string_view in_force) {
    return {
        .kind = ChangeErrorKind::state_not_saved,
        .detail = fmt::format("{}: {}; {}", refusal.place, refusal.cause, in_force),
        .remedy = refusal.remedy,
        .diagnostics = {},
    };
}

std::string_view to_string(ReloadSource source) {
    static constexpr std::array<std::string_view, 5> names{
        "start", "sighup", "api", "rollback", "not-confirmed"
    };
    return names.at(static_cast<std::size_t>(source));
}

std::string_view to_string(ReloadResult result) {
    static constexpr std::array<std::string_view, 5> names{
        "applied", "pending", "invalid", "refused", "not-saved"
    };
    return names.at(static_cast<std::size_t>(result));
}

} // namespace penstock
