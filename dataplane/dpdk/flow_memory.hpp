// SPDX-License-Identifier: Apache-2.0
// Memory for one worker's flow table: zeroed, touched, on huge pages where there are any.
//
// Thread rule: made and freed on the main lcore; belongs to the worker in between.
#pragma once

#include "dataplane/api/refusal.hpp"
#include "dataplane/dpdk/memory_plan.hpp"

#include <cstddef>
#include <expected>
#include <memory>
#include <span>

namespace penstock {

class FlowMemory {
public:
    /// From EAL's hugepages, on the NUMA node of the worker's lcore; without hugepages from the
    /// kernel, with the wish for transparent ones.
    [[nodiscard]] static std::expected<std::unique_ptr<FlowMemory>, Refusal>
    allocate(const MemoryPlan& plan, std::size_t worker);

    FlowMemory(const FlowMemory&) = delete;
    FlowMemory& operator=(const FlowMemory&) = delete;
    ~FlowMemory();

    [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

private:
    FlowMemory(std::span<std::byte> bytes, bool is_from_eal)
        : bytes_(bytes), is_from_eal_(is_from_eal) {}

    std::span<std::byte> bytes_;
    bool is_from_eal_;
};

} // namespace penstock
