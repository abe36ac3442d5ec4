// SPDX-License-Identifier: Apache-2.0
// What was measured on, and EAL for those benchmarks that drive DPDK ports.
//
// Thread rule: the main thread, before anything is measured.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>

namespace penstock::bench {

struct Machine {
    std::string cpu;
    unsigned cpus = 0;
    double tsc_ghz = 0;
};

/// Initialises EAL with one lcore on each of these CPUs, the first one's being the main lcore:
/// memory of its own, no hugepages, no files. Returns what the machine is, or why EAL does not
/// start and what helps.
[[nodiscard]] std::expected<Machine, std::string> start_eal(std::span<const unsigned> cpus);

/// Megabytes of this process that stand on transparent huge pages now.
[[nodiscard]] std::uint64_t read_transparent_mb();

} // namespace penstock::bench
