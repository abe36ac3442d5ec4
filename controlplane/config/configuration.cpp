// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/configuration.hpp"

#include <cstdlib>

namespace penstock::config {

std::string_view to_string(IdleMode value) {
    switch (value) {
    case IdleMode::automatic:
        return "automatic";
    case IdleMode::spin:
        return "spin";
    case IdleMode::adaptive:
        return "adaptive";
    }
    std::abort();
}

std::string_view to_string(HugepageMode value) {
    switch (value) {
    case HugepageMode::automatic:
        return "automatic";
    case HugepageMode::on:
        return "on";
    case HugepageMode::off:
        return "off";
    }
    std::abort();
}

DesiredState to_desired_state(
    const Configuration& configuration, const FlowHashKey& key, std::uint64_t generation
) {
    DesiredState desired{
        .generation = generation,
        .flow_hash_key = key,
        .timeouts = configuration.flow_timeouts,
        .tunnel_sources = configuration.tunnel_sources,
        .nat_sources = configuration.nat_sources,
        .access = configuration.access,
        .services = {},
    };
    desired.services.reserve(configuration.services.size());
    for (const ServiceConfig& service : configuration.services) {
        desired.services.push_back(service.spec);
    }
    return desired;
}

} // namespace penstock::config
