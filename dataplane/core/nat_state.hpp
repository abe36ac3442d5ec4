// SPDX-License-Identifier: Apache-2.0
// What a worker owns for NAT.
//
// Thread rule: that worker alone. Memory for the flows comes from outside; the rest is of fixed size
// and allocated with the object, before the worker starts.
#pragma once

#include "dataplane/core/nat_fragments.hpp"
#include "dataplane/core/nat_ports.hpp"
#include "dataplane/core/nat_table.hpp"

#include <cstddef>
#include <span>

namespace penstock {

struct NatState {
    /// `memory`: as NatTable wants it for `flow_count`. REQUIRES: which < of <= max_workers.
    NatState(std::span<std::byte> memory, std::size_t flow_count, std::size_t which, std::size_t of)
        : flows(memory, flow_count), ports(port_share(which, of)), worker(which), workers(of) {}

    NatTable flows;
    NatPorts ports;
    NatFragments fragments;
    std::size_t worker; ///< this one
    std::size_t workers;
};

} // namespace penstock
