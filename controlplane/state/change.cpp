// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/change.hpp"

#include <array>

namespace penstock {

std::string_view to_string(ReloadSource source) {
    static constexpr std::array<std::string_view, 3> names{"start", "sighup", "api"};
    return names.at(static_cast<std::size_t>(source));
}

std::string_view to_string(ReloadResult result) {
    static constexpr std::array<std::string_view, 5> names{
        "applied", "pending", "invalid", "refused", "not-saved"
    };
    return names.at(static_cast<std::size_t>(result));
}

} // namespace penstock
