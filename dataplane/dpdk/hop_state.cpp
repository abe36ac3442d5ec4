// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/hop_state.hpp"

#include <fmt/format.h>

namespace penstock {

std::string describe(HopProblem problem, const IpAddress& backend) {
    const std::string address = backend.to_string();
    switch (problem) {
    case HopProblem::none:
        return {};
    case HopProblem::pending:
        return fmt::format("the kernel has been asked for the way to {}", address);
    case HopProblem::no_route:
        return fmt::format("the kernel has no route to {}: add one", address);
    case HopProblem::local_address:
        return fmt::format("{} is an address of this host: name another server", address);
    case HopProblem::foreign_interface:
        return fmt::format(
            "the route to {} leaves by an interface that is no [[dataplane.port]]", address
        );
    case HopProblem::not_on_link:
        return fmt::format("{} is behind a gateway: l2dsr needs it on-link, or use ipip", address);
    case HopProblem::unanswered:
        return fmt::format(
            "nobody answers {} for {} or for the gateway to it",
            backend.is_ipv4() ? "ARP" : "neighbour solicitations",
            address
        );
    case HopProblem::table_full:
        return fmt::format(
            "the kernel's neighbour table is full: raise net.{}.neigh.default.gc_thresh3",
            backend.is_ipv4() ? "ipv4" : "ipv6"
        );
    case HopProblem::not_allowed:
        return "the kernel refused to add the neighbour: see penstock-dp's log";
    case HopProblem::no_kernel_port:
        return fmt::format(
            "no port has a kernel interface: add a [[dataplane.neighbour]] for {}", address
        );
    }
    return {};
}

} // namespace penstock
