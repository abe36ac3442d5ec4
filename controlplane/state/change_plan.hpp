// SPDX-License-Identifier: Apache-2.0
// What a configuration would change, before it does: services, backends, the share of slots that
// get another backend, and what becomes of the flows that are there.
//
// Slots are counted in the tables that the dataplane would build (compile_snapshot()), with every
// backend's present health; backends that are new count as up, for that is where it ends once their
// probes pass. Flows that have an entry do not follow the slots: they stay, end where they are
// (`drained`), or lose their backend at once (`cut`).
//
// Thread rule: pure functions over values, any thread. Building the tables of a large configuration
// takes seconds: not for the loop.
#pragma once

#include "controlplane/backend_ref.hpp"
#include "controlplane/config/configuration.hpp"
#include "dataplane/core/desired_state.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// Both sides of a change. The desired states have overrides and health laid over (see
/// make_effective_state()).
struct PlanInput {
    config::Configuration before;
    config::Configuration after;
    DesiredState desired_before;
    DesiredState desired_after;
    /// Live flows by backend, those that have any; nothing: the statistics cannot be read.
    std::optional<std::map<BackendRef, std::uint64_t>> flows;
};

enum class PlanKind : std::uint8_t { added, removed, changed };

/// What becomes of the flows that a backend has.
enum class FlowFate : std::uint8_t {
    kept,    ///< they stay
    drained, ///< they stay until they end; the backend gets no new ones
    cut,     ///< their packets go to another backend, or nowhere
};

[[nodiscard]] std::string_view to_string(PlanKind kind);
[[nodiscard]] std::string_view to_string(FlowFate fate);

/// "weight", "100", "50".
struct FieldChange {
    std::string field;
    std::string before;
    std::string after;
};

struct BackendPlan {
    PlanKind kind = PlanKind::changed;
    std::string name;
    BackendKey key;
    std::vector<FieldChange> fields; ///< of a changed one
    FlowFate fate = FlowFate::kept;
    std::optional<std::uint64_t> flows;
};

struct ServicePlan {
    PlanKind kind = PlanKind::changed;
    std::string name;
    ServiceKey key;
    std::vector<FieldChange> fields;   ///< of a changed one, but for its backends
    std::vector<BackendPlan> backends; ///< those that change
    std::uint64_t slots = 0;           ///< before the change; 0 for an added one
    std::optional<std::uint64_t>
        slots_moved; ///< nothing: the dataplane would refuse one of the two
    std::optional<std::uint64_t> flows;
    std::optional<std::uint64_t> flows_drained;
    std::optional<std::uint64_t> flows_cut;
};

struct ChangePlan {
    std::vector<std::string> sections; ///< "node", "dataplane", "flow" where they differ
    std::vector<ServicePlan> services; ///< those that change
    std::uint64_t slots = 0;           ///< of every service before the change
    std::optional<std::uint64_t> slots_moved;
    std::optional<std::uint64_t> flows;
    std::optional<std::uint64_t> flows_drained;
    std::optional<std::uint64_t> flows_cut;
};

[[nodiscard]] ChangePlan make_change_plan(const PlanInput& input);

/// Moved of all, 0 … 1; 0 if there is none. Nothing if it is not known.
[[nodiscard]] std::optional<double>
moved_share(std::uint64_t slots, const std::optional<std::uint64_t>& moved);

} // namespace penstock
