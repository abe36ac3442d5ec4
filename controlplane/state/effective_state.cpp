// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/effective_state.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace penstock {

DesiredState make_effective_state(
    const config::Configuration& configuration,
    const Overrides& overrides,
    const FindCondition& find_condition,
    const FlowHashKey& key,
    std::uint64_t generation
) {
    DesiredState state = config::to_desired_state(configuration, key, generation);
    for (std::size_t i = 0; i < state.services.size(); ++i) {
        state.services[i] =
            make_effective_service(configuration.services[i], overrides, find_condition).spec;
    }
    return state;
}

LaidService lay_service(
    const config::ServiceConfig& service,
    const Overrides& overrides,
    const FindCondition& find_condition
) {
    LaidService out{.spec = service.spec, .held = {}, .kept = {}};
    out.held.resize(out.spec.backends.size());
    out.kept.resize(out.spec.backends.size());
    for (std::size_t i = 0; i < out.held.size(); ++i) {
        BackendSpec& backend = out.spec.backends[i];
        const BackendRef ref{.service = out.spec.key, .backend = backend.key};
        const auto found = overrides.find(ref);
        OperatorWord word;
        if (found != overrides.end()) {
            word = {
                .has_admin = found->second.admin.has_value(),
                .has_weight = found->second.weight.has_value(),
            };
            backend.admin = found->second.admin.value_or(backend.admin);
            backend.weight = found->second.weight.value_or(backend.weight);
        }
        if (const auto condition = find_condition(ref)) {
            lay_condition(backend, *condition, word);
            out.held[i] = condition->is_held;
            out.kept[i] = condition->is_kept;
        }
    }
    return out;
}

EffectiveService make_effective_service(
    const config::ServiceConfig& service,
    const Overrides& overrides,
    const FindCondition& find_condition
) {
    LaidService laid = lay_service(service, overrides, find_condition);
    EffectiveService out{.spec = std::move(laid.spec), .decision = {}};
    out.decision = decide_service(out.spec, laid.held, service.policy, laid.kept);
    return out;
}

Overrides
keep_known_overrides(const Overrides& overrides, const config::Configuration& configuration) {
    Overrides kept;
    if (overrides.empty()) {
        return kept;
    }
    for (const config::ServiceConfig& service : configuration.services) {
        for (const BackendSpec& backend : service.spec.backends) {
            const auto found =
                overrides.find({.service = service.spec.key, .backend = backend.key});
            if (found != overrides.end()) {
                kept.insert(*found);
            }
        }
    }
    return kept;
}

bool is_eligible(const BackendSpec& backend) {
    return backend.health == Health::up && backend.admin == AdminState::ready && backend.weight > 0;
}

std::string_view to_string(ServiceState state) {
    switch (state) {
    case ServiceState::up:
        return "up";
    case ServiceState::degraded:
        return "degraded";
    case ServiceState::down:
        return "down";
    }
    return "down";
}

void count_backends(const ServiceSpec& service, BackendCounts& counts) {
    for (const BackendSpec& backend : service.backends) {
        ++counts.total;
        counts.eligible += is_eligible(backend) ? 1 : 0;
        counts.up += backend.health == Health::up ? 1 : 0;
        counts.down += backend.health == Health::down ? 1 : 0;
        counts.unknown += backend.health == Health::unknown ? 1 : 0;
        counts.drain += backend.admin == AdminState::drain ? 1 : 0;
        counts.disabled += backend.admin == AdminState::disabled ? 1 : 0;
    }
}

ServiceState judge_service(const ServiceSpec& service) {
    if (std::ranges::none_of(service.backends, is_eligible)) {
        return ServiceState::down;
    }
    // What the operator took out on purpose is no fault; what the probes took out is.
    const bool all_well = std::ranges::all_of(service.backends, [](const BackendSpec& backend) {
        return backend.health == Health::up || backend.admin != AdminState::ready ||
               backend.weight == 0;
    });
    return all_well ? ServiceState::up : ServiceState::degraded;
}

std::string describe_service(
    const ServiceSpec& service, const std::function<std::string(const BackendRef&)>& explain
) {
    const ServiceState state = judge_service(service);
    if (state == ServiceState::up) {
        return {};
    }
    constexpr std::size_t named_at_most = 3;
    BackendCounts counts;
    count_backends(service, counts);
    std::string text;
    std::size_t named = 0;
    for (const BackendSpec& backend : service.backends) {
        if (is_eligible(backend)) {
            continue;
        }
        if (named++ == named_at_most) {
            text += ", …";
            break;
        }
        std::string why;
        if (backend.admin != AdminState::ready) {
            why = backend.admin == AdminState::drain ? "draining" : "disabled";
        } else if (backend.weight == 0) {
            why = "weight 0";
        } else {
            why = explain({.service = service.key, .backend = backend.key});
            if (why.empty()) {
                why = "not probed yet";
            }
        }
        text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", backend.name, why);
    }
    if (state == ServiceState::down) {
        return counts.total == 0 ? "it has no backend: its packets are dropped as no_backend"
                                 : fmt::format(
                                       "none of {} backends takes new flows, packets are dropped "
                                       "as no_backend: {}",
                                       counts.total,
                                       text
                                   );
    }
    return fmt::format(
        "{} of {} backends take no new flows: {}",
        counts.total - counts.eligible,
        counts.total,
        text
    );
}

} // namespace penstock
