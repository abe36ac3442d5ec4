// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/lcore_plan.hpp"

#include "dataplane/core/identity.hpp"
#include "dataplane/dpdk/place_text.hpp"

#include <fmt/format.h>
#include <optional>

namespace penstock {

namespace {

std::optional<Refusal> refuse_cpu(
    std::uint16_t cpu, const std::string& role, const std::string& place, const HostCpus& host
) {
    if (!host.online.contains(cpu)) {
        return Refusal{
            place,
            fmt::format("{} is CPU {}, which this host does not have", role, cpu),
            fmt::format("choose from {}", format_cpu_list(host.online))
        };
    }
    if (!host.allowed.contains(cpu)) {
        return Refusal{
            place,
            fmt::format("{} is CPU {}, which this process may not use", role, cpu),
            fmt::format(
                "choose from {}, or widen its affinity (taskset, AllowedCPUs=)",
                format_cpu_list(host.allowed)
            )
        };
    }
    return std::nullopt;
}

} // namespace

std::expected<LcorePlan, Refusal>
plan_lcores(const config::DataplaneConfig& dataplane, const HostCpus& host) {
    LcorePlan plan;
    std::set<std::uint16_t> taken;
    if (dataplane.workers.empty() || dataplane.workers.size() > max_workers) {
        return std::unexpected(Refusal{
            place_text(dataplane.workers_place),
            fmt::format("{} workers", dataplane.workers.size()),
            fmt::format("name 1 to {} CPUs in [dataplane] workers", max_workers)
        });
    }
    for (std::size_t i = 0; i < dataplane.workers.size(); ++i) {
        const std::uint16_t cpu = dataplane.workers[i];
        const std::string place = place_text(
            i < dataplane.worker_places.size() ? dataplane.worker_places[i]
                                               : dataplane.workers_place
        );
        const std::string role = fmt::format("worker {}", plan.worker_cpus.size());
        if (auto refusal = refuse_cpu(cpu, role, place, host)) {
            return std::unexpected(*refusal);
        }
        if (!taken.insert(cpu).second) {
            return std::unexpected(Refusal{
                place,
                fmt::format("CPU {} is used by two workers", cpu),
                "give every worker a CPU of its own"
            });
        }
        plan.worker_cpus.push_back(cpu);
    }
    if (dataplane.main_core) {
        if (auto refusal = refuse_cpu(
                *dataplane.main_core, "main_core", place_text(dataplane.main_core_place), host
            )) {
            return std::unexpected(*refusal);
        }
        plan.main_cpus = {*dataplane.main_core};
        plan.is_main_shared = taken.contains(*dataplane.main_core);
        return plan;
    }
    for (const std::uint16_t cpu : host.allowed) {
        // An isolated CPU is somebody's worker, if not ours.
        if (!taken.contains(cpu) && !host.isolated.contains(cpu)) {
            plan.main_cpus.insert(cpu);
        }
    }
    if (plan.main_cpus.empty()) {
        plan.main_cpus = taken;
        plan.is_main_shared = true;
    }
    return plan;
}

} // namespace penstock
