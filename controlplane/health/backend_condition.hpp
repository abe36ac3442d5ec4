// SPDX-License-Identifier: Apache-2.0
// How a backend is, apart from what is configured and what the operator said; and what that makes
// of its weight and its admin state.
//
// Thread rule: plain values and pure functions.
#pragma once

#include "controlplane/health/probe_result.hpp"
#include "dataplane/core/desired_state.hpp"

#include <optional>

namespace penstock {

struct BackendCondition {
    Health health = Health::unknown;
    std::optional<AgentReport> report; ///< of its own agent
    bool is_held = false;              ///< down for flapping (backend_course.hpp)
    unsigned start_percent = 100;      ///< of its weight, while it starts slowly
    bool is_kept = false;              ///< down, but in use: too many went down (shrink_limit.hpp)
};

/// The stricter of the two: disabled before drain before ready.
[[nodiscard]] AdminState stricter(AdminState left, AdminState right);

/// `percent` of `weight`, rounded; at least 1 unless one of the two is 0: a small share must not
/// become none.
[[nodiscard]] std::uint16_t scale_weight(std::uint16_t weight, unsigned percent);

/// What of a backend the operator has said at run time; it stands above the server's own word.
struct OperatorWord {
    bool has_admin = false;
    bool has_weight = false;
};

/// Lays the condition over a backend that has the operator's word already.
void lay_condition(
    BackendSpec& backend, const BackendCondition& condition, const OperatorWord& word
);

/// "weight 75 %, drain", for people.
[[nodiscard]] std::string describe(const AgentReport& report);

} // namespace penstock
