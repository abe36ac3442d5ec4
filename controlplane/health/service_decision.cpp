// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/service_decision.hpp"

#include <fmt/format.h>

namespace penstock {

bool is_ready(const BackendSpec& backend) {
    return backend.admin == AdminState::ready && backend.weight > 0;
}

ServiceDecision decide_service(
    ServiceSpec& service,
    const std::vector<bool>& held,
    const config::HealthPolicy& policy,
    const std::vector<bool>& kept
) {
    ServiceDecision decision;
    bool is_undecided = false;
    for (std::size_t i = 0; i < service.backends.size(); ++i) {
        const BackendSpec& backend = service.backends[i];
        if (!is_ready(backend)) {
            continue;
        }
        ++decision.ready;
        is_undecided = is_undecided || backend.health == Health::unknown;
        if (backend.health == Health::up) {
            ++(held[i] ? decision.held : decision.healthy);
        }
    }
    const auto are_too_few = [&](std::size_t used) {
        return used * 100 < decision.ready * std::size_t{policy.panic_percent};
    };
    decision.is_hold_waived =
        decision.held > 0 &&
        (decision.healthy == 0 || (!is_undecided && are_too_few(decision.healthy)));
    if (!decision.is_hold_waived) {
        for (std::size_t i = 0; i < service.backends.size(); ++i) {
            if (held[i] && service.backends[i].health == Health::up) {
                service.backends[i].health = Health::down;
            }
        }
    }
    for (std::size_t i = 0; i < kept.size(); ++i) {
        BackendSpec& backend = service.backends[i];
        if (kept[i] && is_ready(backend) && backend.health == Health::down) {
            backend.health = Health::up;
            ++decision.kept;
        }
    }
    if (is_undecided) {
        return decision;
    }
    decision.is_below_minimum = decision.healthy < policy.min_healthy;
    decision.is_panic = are_too_few(decision.healthy + decision.held);
    if (decision.is_panic) {
        for (BackendSpec& backend : service.backends) {
            if (is_ready(backend)) {
                backend.health = Health::up;
            }
        }
    }
    return decision;
}

std::string describe_decision(const ServiceDecision& decision, const config::HealthPolicy& policy) {
    std::string text;
    if (decision.is_panic) {
        text = fmt::format(
            "panic: {} of {} ready backends are healthy, less than {} %; all of them are used",
            decision.healthy + decision.held,
            decision.ready,
            policy.panic_percent
        );
    }
    if (decision.kept > 0) {
        text += fmt::format(
            "{}{} more went down than may be taken out within {} s ({}): they stay in use",
            text.empty() ? "" : "; ",
            decision.kept,
            policy.shrink_window_ms / 1000,
            policy.shrink_limit != 0 ? fmt::format("shrink_limit = {}", policy.shrink_limit)
                                     : fmt::format("shrink_percent = {}", policy.shrink_percent)
        );
    }
    if (decision.is_below_minimum) {
        text += fmt::format(
            "{}{} healthy backends{}, at least {} are wanted (min_healthy)",
            text.empty() ? "" : "; ",
            decision.healthy,
            decision.held == 0 ? std::string() : fmt::format(" and {} that flap", decision.held),
            policy.min_healthy
        );
    }
    return text;
}

} // namespace penstock
