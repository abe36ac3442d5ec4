// SPDX-License-Identifier: Apache-2.0
// The arguments that EAL is started with, made from our configuration: the operator never writes
// them, but may append some ([dataplane] eal_args).
//
// Thread rule: pure functions.
#pragma once

#include "controlplane/config/configuration.hpp"
#include "dataplane/dpdk/lcore_plan.hpp"
#include "dataplane/dpdk/memory_plan.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// True for "0000:3b:00.0" and "3b:00.0": a NIC on the PCI bus; anything else is a vdev.
[[nodiscard]] bool is_pci_address(std::string_view device);

/// Program name first. `instance` tells this process from others (--file-prefix).
[[nodiscard]] std::vector<std::string> make_eal_arguments(
    const config::DataplaneConfig& dataplane,
    const LcorePlan& lcores,
    const MemoryPlan& memory,
    const std::string& instance
);

} // namespace penstock
