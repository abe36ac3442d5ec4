// SPDX-License-Identifier: Apache-2.0
// Which of a service's backends are used, given how all of them are: the decisions that look at
// more than one.
//
// Thread rule: plain values and pure functions.
#pragma once

#include "controlplane/config/health_policy.hpp"
#include "dataplane/core/desired_state.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace penstock {

struct ServiceDecision {
    std::size_t ready = 0;         ///< backends that would take flows if they were healthy
    std::size_t healthy = 0;       ///< of these, those whose probes say up and that do not flap
    std::size_t held = 0;          ///< of these, those whose probes say up, but that flap
    bool is_hold_waived = false;   ///< the held ones are used: without them too few would be left
    std::size_t kept = 0;          ///< down, but in use: too many went down at once
    bool is_panic = false;         ///< all ready ones are used, healthy or not
    bool is_below_minimum = false; ///< judged without the held ones, used or not

    friend bool operator==(const ServiceDecision&, const ServiceDecision&) = default;
};

/// Decides, and writes into the backends' `health` what the dataplane is to believe: a held one is
/// down, unless no other one would be left, or so few that there would be panic; a kept one is up; in
/// panic all are up. So flapping servers are used before those that the probes find down. Panic and minimum
/// are not decided while a ready backend is still unknown. REQUIRES: `held` has an element for each
/// backend, and so has `kept`, or it is empty: none is.
ServiceDecision decide_service(
    ServiceSpec& service,
    const std::vector<bool>& held,
    const config::HealthPolicy& policy,
    const std::vector<bool>& kept = {}
);

/// Why a human should look at it, in a sentence; empty if there is nothing.
[[nodiscard]] std::string
describe_decision(const ServiceDecision& decision, const config::HealthPolicy& policy);

/// Whether the operator lets the backend take new flows, whatever its health.
[[nodiscard]] bool is_ready(const BackendSpec& backend);

} // namespace penstock
