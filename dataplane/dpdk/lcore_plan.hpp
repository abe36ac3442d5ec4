// SPDX-License-Identifier: Apache-2.0
// Which CPU runs which worker, and where everything else runs.
//
// Thread rule: pure function and plain values.
#pragma once

#include "controlplane/config/configuration.hpp"
#include "dataplane/api/refusal.hpp"
#include "dataplane/dpdk/host_cpus.hpp"

#include <cstdint>
#include <expected>
#include <set>
#include <vector>

namespace penstock {

struct LcorePlan {
    /// Where the main lcore, the builder and the log thread run: never empty.
    std::set<std::uint16_t> main_cpus;
    /// By worker; worker i is lcore i + 1, whatever its CPU, so that CPU numbers beyond DPDK's
    /// limit work.
    std::vector<std::uint16_t> worker_cpus;
    /// No CPU was left, so the main lcore shares those of the workers.
    bool is_main_shared = false;
};

/// DPDK's number of the lcore that runs worker `worker`; lcore 0 is the main one.
[[nodiscard]] constexpr unsigned lcore_of(std::size_t worker) {
    return static_cast<unsigned>(worker) + 1;
}

/// Refuses a worker or main core that is not online, not allowed to this process or named twice,
/// with its place in the file.
[[nodiscard]] std::expected<LcorePlan, Refusal>
plan_lcores(const config::DataplaneConfig& dataplane, const HostCpus& host);

} // namespace penstock
