// SPDX-License-Identifier: Apache-2.0
#include "bench/machine.hpp"

#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace penstock::bench {
namespace {

constexpr unsigned memory_mb = 64;

// The value behind "name : value" in a file of the kernel's; empty if there is none.
std::string read_field(const char* path, const std::string& name) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(name)) {
            const auto colon = line.find(':');
            const auto value = line.find_first_not_of(" \t", colon + 1);
            return value == std::string::npos ? "" : line.substr(value);
        }
    }
    return {};
}

} // namespace

std::expected<Machine, std::string> start_eal(std::span<const unsigned> cpus) {
    Machine machine{
        .cpu = read_field("/proc/cpuinfo", "model name"),
        .cpus = std::thread::hardware_concurrency(),
    };
    std::string lcores;
    for (std::size_t i = 0; i < cpus.size(); ++i) {
        lcores += fmt::format("{}{}@{}", i == 0 ? "" : ",", i, cpus[i]);
    }
    // The tables have their own memory (table_memory.hpp): what EAL holds is a few packets.
    std::vector<std::string> arguments{
        "penstock-bench",
        "--lcores=" + lcores,
        "--main-lcore=0",
        "--no-huge",
        "--no-shconf",
        "--no-pci",
        "--no-telemetry",
        "-m",
        std::to_string(memory_mb),
        fmt::format("--file-prefix=penstock-bench-{}", ::getpid()),
        "--log-level=lib.eal:error",
    };
    std::vector<char*> pointers;
    for (std::string& argument : arguments) {
        pointers.push_back(argument.data());
    }
    ::rte_log_set_global_level(RTE_LOG_ERR);
    if (::rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) < 0) {
        return std::unexpected(fmt::format(
            "EAL does not start on CPU {}: {}; --cpus chooses others",
            lcores,
            ::rte_strerror(rte_errno)
        ));
    }
    machine.tsc_ghz = static_cast<double>(::rte_get_tsc_hz()) / 1e9;
    return machine;
}

std::uint64_t read_transparent_mb() {
    const std::string kilobytes = read_field("/proc/self/smaps_rollup", "AnonHugePages");
    return std::strtoull(kilobytes.c_str(), nullptr, 10) / 1024;
}

} // namespace penstock::bench
