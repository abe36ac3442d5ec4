// SPDX-License-Identifier: Apache-2.0
// How a backend's packets travel, besides its address.
//
// Thread rule: values.
#pragma once

#include "dataplane/core/desired_state.hpp"

#include <cstdint>

namespace penstock {

struct TunnelKind {
    Forwarding forwarding = Forwarding::ipip;
    std::uint8_t gue_variant = 0;              ///< gue only
    std::uint16_t gue_port = default_gue_port; ///< gue only; host order

    friend bool operator==(const TunnelKind&, const TunnelKind&) = default;
};

/// Forwarding that puts an outer header before the packet.
[[nodiscard]] inline bool is_tunnel(Forwarding forwarding) {
    return forwarding == Forwarding::ipip || forwarding == Forwarding::gre ||
           forwarding == Forwarding::gue;
}

} // namespace penstock
