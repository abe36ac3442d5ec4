// SPDX-License-Identifier: Apache-2.0
// The words of the API for states in the colours of a traffic light.
//
// Thread rule: pure functions. A word that is not known has no colour.
#pragma once

#include "tools/cli/table.hpp"

#include <string_view>

namespace penstock::cli {

[[nodiscard]] Colour colour_of_state(std::string_view state); ///< of a service
[[nodiscard]] Colour colour_of_health(std::string_view health);
[[nodiscard]] Colour colour_of_admin(std::string_view admin);
[[nodiscard]] Colour colour_of_severity(std::string_view severity);

} // namespace penstock::cli
