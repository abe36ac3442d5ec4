// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/declaration.hpp"

#include <fmt/format.h>

namespace penstock {

std::string describe_size(const config::Configuration& configuration) {
    std::size_t backends = 0;
    for (const config::ServiceConfig& service : configuration.services) {
        backends += service.spec.backends.size();
    }
    return fmt::format("{} services, {} backends", configuration.services.size(), backends);
}

std::vector<std::string> render_warnings(const config::Diagnostics& warnings) {
    std::vector<std::string> notes;
    for (const config::Diagnostic& warning : warnings) {
        notes.push_back(config::render(warning));
    }
    return notes;
}

} // namespace penstock
