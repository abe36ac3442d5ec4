// SPDX-License-Identifier: Apache-2.0
// One backend's health as its probes tell it: results in, transitions with a reason out.
//
//   unknown ── first result ──► up or down        (one good probe is enough to bring a service up)
//   up   ── `fall` bad ones in a row ──► down      (a good one in between starts the count again)
//   down ── `rise` good ones in a row ──► up
//
// A result that says something about us, not about the backend (no file descriptor left), counts as
// nothing. After a restart of penstock-cp the dataplane's health is adopted: it stands until `fall`
// or `rise` results of our own say otherwise, so that a restart is no more nervous than going on.
//
// Thread rule: plain object, no clock, no I/O: the caller passes the time.
#pragma once

#include "controlplane/health/probe_result.hpp"
#include "controlplane/wall_time.hpp"
#include "dataplane/core/desired_state.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace penstock {

struct HealthTransition {
    Health from = Health::unknown;
    Health to = Health::unknown;
    std::string reason; ///< "http 503, 3 of 3; last ok 14:02:11"
    WallTime time;
};

class ProbeState {
public:
    /// REQUIRES: fall and rise are at least 1.
    ProbeState(std::uint16_t fall, std::uint16_t rise) : fall_(fall), rise_(rise) {}

    /// For a reload; the health and the counts so far stay. REQUIRES: both are at least 1.
    void set_thresholds(std::uint16_t fall, std::uint16_t rise);

    /// Takes over what the dataplane has, unless a probe or an adoption has decided before. Returns
    /// whether it did. REQUIRES: health is not unknown.
    bool adopt(Health health, WallTime now);

    /// Returns the transition that this result caused, if any.
    std::optional<HealthTransition> record(const ProbeResult& result, WallTime now);

    [[nodiscard]] Health health() const { return health_; }

    /// Undecided: nothing is known yet, or the last results speak against what is.
    [[nodiscard]] bool is_changing() const { return health_ == Health::unknown || contrary_ > 0; }

    /// Why it is so, and what the probes say against it meanwhile. Empty before the first result.
    [[nodiscard]] std::string reason() const;

    /// When it became so; nothing while unknown.
    [[nodiscard]] std::optional<WallTime> since() const { return since_; }

private:
    HealthTransition change_to(Health to, std::string reason, WallTime now);
    [[nodiscard]] std::string describe_last_good(WallTime now) const;

    std::uint16_t fall_;
    std::uint16_t rise_;
    Health health_ = Health::unknown;
    std::uint32_t contrary_ = 0; ///< results in a row that speak against health_
    std::string contrary_detail_;
    std::string inconclusive_detail_; ///< of the last result, if it was one
    std::string reason_;
    std::optional<WallTime> since_;
    std::optional<WallTime> last_good_;
};

} // namespace penstock
