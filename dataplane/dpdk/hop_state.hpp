// SPDX-License-Identifier: Apache-2.0
// Whether a backend has a next hop, and why not.
//
// Thread rule: values.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/next_hop.hpp"

#include <cstdint>
#include <string>

namespace penstock {

/// Why a backend has no next hop.
enum class HopProblem : std::uint8_t {
    none, ///< it has one
    pending,
    no_route,
    local_address,
    foreign_interface,
    not_on_link,
    unanswered,
    table_full,
    not_allowed,
    no_kernel_port,
};

struct HopState {
    HopProblem problem = HopProblem::pending;
    NextHop hop; ///< meaningful if problem is none
};

/// One line for people, with what to do.
[[nodiscard]] std::string describe(HopProblem problem, const IpAddress& backend);

} // namespace penstock
