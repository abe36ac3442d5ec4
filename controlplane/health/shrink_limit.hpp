// SPDX-License-Identifier: Apache-2.0
// How fast the pool of a service may shrink by itself: at most so many backends are taken out of use for
// their health within a window. Those beyond it stay in use although they are down, for when many go
// down together the probes, or what is between, are more likely ill than all of the servers.
//
//   in use ──down, and fewer than the limit taken out within the window──► out
//   in use ──down, and no place──► kept ──a place is free again, in the order of going down──► out
//   out, kept ──up──► in use; who is up again gives its place back
//
// What the operator takes out is not counted and not held back.
//
// Thread rule: plain object, no clock: the caller passes the steady clock's time.
#pragma once

#include "controlplane/config/health_policy.hpp"
#include "dataplane/core/desired_state.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace penstock {

class ShrinkLimit {
public:
    using Time = std::chrono::steady_clock::time_point;

    /// Looks at the service as its probes, its agents and the operator leave it; `held[i]` counts as
    /// down. REQUIRES: limits_shrinking(policy), `held` has an element for each backend.
    void look(
        const ServiceSpec& service,
        const std::vector<bool>& held,
        const config::HealthPolicy& policy,
        Time now
    );

    /// It is down, and stays in use.
    [[nodiscard]] bool keeps(const BackendKey& backend) const { return kept_.contains(backend); }

    /// When, after `now`, a place is free for one of those that are kept; nothing while none is.
    [[nodiscard]] std::optional<Time>
    next_change(const config::HealthPolicy& policy, Time now) const;

private:
    void forget(const ServiceSpec& service);

    std::set<BackendKey> in_use_;
    std::map<BackendKey, Time> out_;  ///< when it was taken out; until it is up again
    std::map<BackendKey, Time> kept_; ///< since when; they are in in_use_ too
};

/// Whether a policy limits at all.
[[nodiscard]] bool limits_shrinking(const config::HealthPolicy& policy);

/// How many of `ready` backends may be taken out within the window; at least 1.
[[nodiscard]] std::size_t shrink_places(const config::HealthPolicy& policy, std::size_t ready);

} // namespace penstock
