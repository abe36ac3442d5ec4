// SPDX-License-Identifier: Apache-2.0
// What becomes of a change that somebody asked for: a reload or an override.
//
// Thread rule: plain values.
#pragma once

#include "controlplane/actor.hpp"
#include "controlplane/config/parse.hpp"
#include "controlplane/wall_time.hpp"
#include "dataplane/api/refusal.hpp"
#include "dataplane/core/desired_state.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// The change is accepted.
struct ChangeReply {
    bool live = false; ///< false: the dataplane is away or still at it
    std::uint64_t generation = 0;
    std::optional<std::uint64_t> live_generation;
    bool changed = true;
    std::string detail;
    std::vector<std::string> notes;
};

enum class ChangeErrorKind : std::uint8_t {
    not_found,
    invalid_configuration, ///< `diagnostics` has every reason
    refused_by_dataplane,
    state_not_saved,
    confirmation_pending,  ///< a configuration is on trial: confirm it or roll it back first
    nothing_to_confirm,    ///< none is on trial (any more)
    nothing_to_go_back_to, ///< the history has no such entry, or it cannot be used
    last_healthy_backend, ///< the service would have none that takes new flows; forced it would be done
    changed_meanwhile, ///< not the state that the request was made for (If-Match)
};

/// The change is not accepted, or not kept; `detail` says what is in force.
struct ChangeError {
    ChangeErrorKind kind = ChangeErrorKind::not_found;
    std::string detail;
    std::string remedy;
    config::Diagnostics diagnostics;
};

/// `in_force` says what stays: "nothing was changed".
[[nodiscard]] ChangeError not_saved(const Refusal& refusal, std::string_view in_force);

using ChangeResult = std::expected<ChangeReply, ChangeError>;
using ChangeDone = std::move_only_function<void(ChangeResult)>;

enum class ReloadSource : std::uint8_t {
    start,
    sighup,
    api,
    rollback,      ///< asked for
    not_confirmed, ///< nobody confirmed in time
};
enum class ReloadResult : std::uint8_t { applied, pending, invalid, refused, not_saved };

[[nodiscard]] std::string_view to_string(ReloadSource source);
[[nodiscard]] std::string_view to_string(ReloadResult result);

/// A configuration that somebody wants to run.
struct ApplyRequest {
    std::string text;
    std::string name; ///< of the file, for diagnostics and the history
    ReloadSource source = ReloadSource::api;
    Actor actor;
    /// Set: without a confirmation within this time the configuration before comes back.
    std::optional<std::chrono::seconds> confirm_within;
};

/// What the operator says about one backend, by the names of the configuration.
struct OverrideRequest {
    std::string service;
    std::string backend;
    std::optional<AdminState> admin;     ///< nothing: as it is
    std::optional<std::uint16_t> weight; ///< nothing: as it is
    bool force = false;                  ///< also if no backend is left that takes new flows
    Actor actor;
};

struct LastReload {
    WallTime time;
    ReloadSource source = ReloadSource::start;
    ReloadResult result = ReloadResult::pending;
    std::uint64_t generation = 0;
    std::string detail;
};

} // namespace penstock
