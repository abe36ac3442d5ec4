// SPDX-License-Identifier: Apache-2.0
// Configuration + overrides + health → what the dataplane is to do; and what that means for a
// service.
//
// Thread rule: pure functions.
#pragma once

#include "controlplane/backend_ref.hpp"
#include "controlplane/config/configuration.hpp"
#include "controlplane/health/backend_condition.hpp"
#include "controlplane/health/service_decision.hpp"
#include "controlplane/state/overrides.hpp"
#include "dataplane/core/desired_state.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock {

/// How the probes and its agent find a backend; nothing for one that is not probed.
using FindCondition = std::function<std::optional<BackendCondition>(const BackendRef&)>;

/// The declaration with the operator's overrides and the probes' findings laid over it.
[[nodiscard]] DesiredState make_effective_state(
    const config::Configuration& configuration,
    const Overrides& overrides,
    const FindCondition& find_condition,
    const FlowHashKey& key,
    std::uint64_t generation
);

/// The same for one service.
struct EffectiveService {
    ServiceSpec spec;
    ServiceDecision decision;
};

/// The first half of it: what is said of every backend by itself.
struct LaidService {
    ServiceSpec spec;
    std::vector<bool> held; ///< BackendCondition::is_held of each
    std::vector<bool> kept; ///< BackendCondition::is_kept of each
};

[[nodiscard]] LaidService lay_service(
    const config::ServiceConfig& service,
    const Overrides& overrides,
    const FindCondition& find_condition
);

[[nodiscard]] EffectiveService make_effective_service(
    const config::ServiceConfig& service,
    const Overrides& overrides,
    const FindCondition& find_condition
);

/// Those of `overrides` whose backend `configuration` still has.
[[nodiscard]] Overrides
keep_known_overrides(const Overrides& overrides, const config::Configuration& configuration);

/// Takes new flows: up, ready and of weight above 0.
[[nodiscard]] bool is_eligible(const BackendSpec& backend);

enum class ServiceState : std::uint8_t {
    up,       ///< every backend that should take new flows does
    degraded, ///< some do not
    down,     ///< none does: packets of new flows are dropped as no_backend
};

[[nodiscard]] std::string_view to_string(ServiceState state);

struct BackendCounts {
    std::size_t total = 0;
    std::size_t eligible = 0;
    std::size_t up = 0;
    std::size_t down = 0;
    std::size_t unknown = 0;
    std::size_t drain = 0;
    std::size_t disabled = 0;
};

void count_backends(const ServiceSpec& service, BackendCounts& counts);

[[nodiscard]] ServiceState judge_service(const ServiceSpec& service);

/// Why it is degraded or down, in a sentence; empty when up. `explain` gives the probes' reason for
/// a backend.
[[nodiscard]] std::string describe_service(
    const ServiceSpec& service, const std::function<std::string(const BackendRef&)>& explain
);

} // namespace penstock
