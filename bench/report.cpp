// SPDX-License-Identifier: Apache-2.0
#include "bench/report.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

namespace penstock::bench {
namespace {

constexpr const char* reference = "macswap";

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

constexpr std::size_t memory_mb = 256;

bool has_free_hugepages() {
    const std::string free = read_field("/proc/meminfo", "HugePages_Free");
    constexpr std::size_t page_mb = 2;
    return !free.empty() && std::strtoull(free.c_str(), nullptr, 10) * page_mb >= memory_mb;
}

} // namespace

std::expected<Machine, std::string> start_eal(unsigned core) {
    Machine machine{
        .cpu = read_field("/proc/cpuinfo", "model name"), .hugepages = has_free_hugepages()
    };
    std::vector<std::string> arguments{
        "penstock-bench",
        "-l",
        std::to_string(core),
        "--no-pci",
        "--no-telemetry",
        "-m",
        std::to_string(memory_mb),
        "--log-level=lib.eal:error"
    };
    if (machine.hugepages) {
        arguments.emplace_back("--in-memory");
    } else {
        arguments.insert(arguments.end(), {"--no-huge", "--no-shconf"});
    }
    std::vector<char*> pointers;
    for (std::string& argument : arguments) {
        pointers.push_back(argument.data());
    }
    rte_log_set_global_level(RTE_LOG_ERR);
    if (rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) < 0) {
        return std::unexpected(fmt::format("EAL does not start: {}", rte_strerror(rte_errno)));
    }
    machine.tsc_ghz = static_cast<double>(rte_get_tsc_hz()) / 1e9;
    return machine;
}

double Rows::minimum(const std::string& name) const {
    return std::ranges::min(samples_.at(name));
}

double Rows::median(const std::string& name) const {
    std::vector<double> sorted = samples_.at(name);
    std::ranges::sort(sorted);
    const std::size_t middle = sorted.size() / 2;
    return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

void Report::print() const {
    fmt::print(
        "{}, TSC {:.2f} GHz, {}, one core, net_ring loop, bursts of 32, {} rounds\n",
        machine_.cpu,
        machine_.tsc_ghz,
        machine_.hugepages ? "2 MB hugepages" : "4 KB pages (no free hugepages)",
        rows_.front().rounds()
    );
    fmt::print(
        "{:<16} {:>9} {:>12} {:>12} {:>11} {:>11} {:>8}\n",
        "case",
        "flows",
        "cycles min",
        "median",
        "added min",
        "median",
        "ns min"
    );
    for (const Rows& rows : rows_) {
        for (const std::string& name : rows.cases()) {
            fmt::print(
                "{:<16} {:>9} {:>12.1f} {:>12.1f} {:>11.1f} {:>11.1f} {:>8.1f}\n",
                name,
                rows.flows(),
                rows.minimum(name),
                rows.median(name),
                rows.minimum(name) - rows.minimum(reference),
                rows.median(name) - rows.median(reference),
                rows.minimum(name) / machine_.tsc_ghz
            );
        }
    }
}

bool Report::write_json(const std::string& path) const {
    boost::json::array array;
    for (const Rows& rows : rows_) {
        for (const std::string& name : rows.cases()) {
            array.push_back(
                {{"case", name},
                 {"flows", rows.flows()},
                 {"cycles_min", rows.minimum(name)},
                 {"cycles_median", rows.median(name)},
                 {"added_cycles_min", rows.minimum(name) - rows.minimum(reference)},
                 {"added_cycles_median", rows.median(name) - rows.median(reference)},
                 {"ns_min", rows.minimum(name) / machine_.tsc_ghz}}
            );
        }
    }
    std::ofstream file(path);
    file << boost::json::serialize(array) << '\n';
    file.close();
    if (!file) {
        std::fprintf(stderr, "bench: cannot write %s: %s\n", path.c_str(), std::strerror(errno));
        return false;
    }
    return true;
}

} // namespace penstock::bench
