// SPDX-License-Identifier: Apache-2.0
// What of a desired state the steering of the ports must know: whose packets come to the workers.
//
// Thread rule: pure functions.
#pragma once

#include "dataplane/core/desired_state.hpp"

#include <cstdint>
#include <vector>

namespace penstock {

/// By what the ICMP errors are known that quote a packet of our tunnels.
struct TunnelMarks {
    std::vector<IpPrefix> sources;        ///< of outer headers
    std::vector<std::uint16_t> gue_ports; ///< UDP destination ports, host order

    friend bool operator==(const TunnelMarks&, const TunnelMarks&) = default;
};

/// The VIPs of all services, and the source addresses of NAT, to which replies come. Sorted, each
/// once.
[[nodiscard]] std::vector<IpPrefix> steered_vips(const DesiredState& desired);

/// `defaults` are the sources where `desired` names none. Nothing without a tunnel service.
[[nodiscard]] TunnelMarks tunnel_marks(const DesiredState& desired, const TunnelSources& defaults);

} // namespace penstock
