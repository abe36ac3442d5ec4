// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/unsupported.hpp"

#include "dataplane/core/desired_state_check.hpp"

#include <fmt/format.h>

#include <utility>

namespace penstock::config {

namespace {

// The backend that an error names, or the service.
const Origin& place_of(const CompileError& error, const ServiceConfig& service) {
    for (std::size_t i = 0; i < service.spec.backends.size(); ++i) {
        const auto place =
            fmt::format("service {}, backend {}", service.spec.name, service.spec.backends[i].name);
        if (error.place == place && i < service.backend_places.size()) {
            return service.backend_places[i];
        }
    }
    return service.place;
}

Diagnostic explain(const Place& place, CompileError error) {
    return diagnose(
        place, fmt::format("{}: {}", error.place, error.cause), std::move(error.remedy)
    );
}

// Without tunnel_source the dataplane takes its port's address, which is not known here.
void assume_tunnel_sources(TunnelSources& sources) {
    sources.ipv4 = sources.ipv4 ? sources.ipv4 : IpPrefix::parse("192.0.2.1");
    sources.ipv6 = sources.ipv6 ? sources.ipv6 : IpPrefix::parse("2001:db8::1");
}

} // namespace

Diagnostics find_unsupported(const Configuration& configuration) {
    Diagnostics found;
    DesiredState state = to_desired_state(configuration, {}, 1);
    assume_tunnel_sources(state.tunnel_sources);
    std::vector<ServiceSpec> services = std::exchange(state.services, {});
    const Place whole{.file = configuration.node.place.file, .line = 1, .column = 1};
    if (auto error = check_desired_state(state)) {
        found.push_back(explain(whole, std::move(*error)));
    }
    // One by one, so that every service has its say.
    state.services.resize(1);
    for (std::size_t i = 0; i < services.size(); ++i) {
        std::swap(state.services[0], services[i]);
        auto error = check_desired_state(state);
        std::swap(state.services[0], services[i]);
        if (error) {
            const ServiceConfig& service = configuration.services[i];
            found.push_back(explain(place_of(*error, service), std::move(*error)));
        }
    }
    if (found.empty()) {
        state.services = std::move(services);
        if (auto error = check_desired_state(state)) {
            found.push_back(explain(whole, std::move(*error)));
        }
    }
    return found;
}

} // namespace penstock::config
