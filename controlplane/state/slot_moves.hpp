// SPDX-License-Identifier: Apache-2.0
// How many slots of a service get another backend by a change, counted in the dataplane's own
// tables.
//
// Thread rule: pure; any thread. A table of 65537 slots takes milliseconds.
#pragma once

#include "dataplane/core/desired_state.hpp"

#include <cstdint>
#include <optional>

namespace penstock {

struct SlotMoves {
    std::uint64_t slots = 0; ///< of the service before the change
    std::uint64_t moved = 0; ///< those of them whose new flows would go elsewhere, or nowhere
};

/// REQUIRES: the same key. `context` gives what belongs to no service. Nothing if the dataplane would
/// refuse one of the two.
[[nodiscard]] std::optional<SlotMoves>
count_slot_moves(const ServiceSpec& before, const ServiceSpec& after, const DesiredState& context);

} // namespace penstock
