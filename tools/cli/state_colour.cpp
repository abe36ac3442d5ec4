// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/state_colour.hpp"

namespace penstock::cli {

Colour colour_of_state(std::string_view state) {
    if (state == "up")
        return Colour::green;
    if (state == "degraded")
        return Colour::yellow;
    return state == "down" ? Colour::red : Colour::none;
}

Colour colour_of_health(std::string_view health) {
    if (health == "up")
        return Colour::green;
    if (health == "down")
        return Colour::red;
    return health == "unknown" ? Colour::yellow : Colour::none;
}

Colour colour_of_admin(std::string_view admin) {
    return admin == "drain" || admin == "disabled" ? Colour::yellow : Colour::none;
}

Colour colour_of_severity(std::string_view severity) {
    if (severity == "critical")
        return Colour::red;
    return severity == "warning" ? Colour::yellow : Colour::none;
}

} // namespace penstock::cli
