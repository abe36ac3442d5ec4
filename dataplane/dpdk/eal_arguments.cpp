// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/eal_arguments.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace penstock {

namespace {

bool is_hex(std::string_view text, std::size_t digits) {
    return text.size() == digits && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
           });
}

} // namespace

bool is_pci_address(std::string_view device) {
    constexpr std::size_t domain_length = 5; // "0000:"
    constexpr std::size_t short_length = 7;  // "3b:00.0"
    if (device.size() == domain_length + short_length && is_hex(device.substr(0, 4), 4) &&
        device[4] == ':') {
        device.remove_prefix(domain_length);
    }
    return device.size() == short_length && is_hex(device.substr(0, 2), 2) && device[2] == ':' &&
           is_hex(device.substr(3, 2), 2) && device[5] == '.' && device[6] >= '0' &&
           device[6] <= '7';
}

std::vector<std::string> make_eal_arguments(
    const config::DataplaneConfig& dataplane,
    const LcorePlan& lcores,
    const MemoryPlan& memory,
    const std::string& instance
) {
    std::string placement = fmt::format("0@({})", fmt::join(lcores.main_cpus, ","));
    for (std::size_t worker = 0; worker < lcores.worker_cpus.size(); ++worker) {
        placement += fmt::format(",{}@{}", lcore_of(worker), lcores.worker_cpus[worker]);
    }
    std::vector<std::string> arguments{
        "penstock-dp",
        "--lcores=" + placement,
        "--main-lcore=0",
        "--file-prefix=" + instance,
        "--no-telemetry",
        "-m",
        fmt::format("{}", memory.eal_mb),
    };
    if (memory.uses_hugepages) {
        // Nothing in the file system: no hugetlbfs mount is needed and a kill leaves nothing
        // behind.
        arguments.emplace_back("--in-memory");
    } else {
        // DPDK 22.11 refuses --in-memory together with --no-huge.
        arguments.emplace_back("--no-huge");
        arguments.emplace_back("--no-shconf");
    }
    bool has_pci = false;
    for (const config::PortConfig& port : dataplane.ports) {
        if (port.device && is_pci_address(*port.device)) {
            arguments.insert(arguments.end(), {"-a", *port.device});
            has_pci = true;
        }
    }
    if (!has_pci) {
        arguments.emplace_back("--no-pci");
    }
    arguments.insert(arguments.end(), dataplane.eal_args.begin(), dataplane.eal_args.end());
    return arguments;
}

} // namespace penstock
