// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/flow_memory.hpp"

#include "dataplane/dpdk/lcore_plan.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>

namespace penstock {

namespace {

constexpr std::size_t cache_line_bytes = 64;

} // namespace

std::expected<std::unique_ptr<FlowMemory>, Refusal>
FlowMemory::allocate(const MemoryPlan& plan, std::size_t worker) {
    const std::size_t length = plan.flow_table_bytes;
    void* memory = nullptr;
    if (plan.uses_hugepages) {
        const int node = static_cast<int>(::rte_lcore_to_socket_id(lcore_of(worker)));
        memory = ::rte_zmalloc_socket("flows", length, cache_line_bytes, node);
    } else {
        memory =
            ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memory = memory == MAP_FAILED ? nullptr : memory;
    }
    if (memory == nullptr) {
        return std::unexpected(Refusal{
            "[dataplane] memory_mb",
            fmt::format("no room for the flow table of worker {}: {} bytes", worker, length),
            "raise it, or lower flows_per_worker"
        });
    }
    if (!plan.uses_hugepages) {
        if (::madvise(memory, length, MADV_HUGEPAGE) != 0) {
            spdlog::debug("no transparent huge pages for flows: {}", std::strerror(errno));
        }
        std::memset(memory, 0, length);
    }
    return std::unique_ptr<FlowMemory>(
        new FlowMemory({static_cast<std::byte*>(memory), length}, plan.uses_hugepages)
    );
}

FlowMemory::~FlowMemory() {
    if (is_from_eal_) {
        ::rte_free(bytes_.data());
    } else {
        ::munmap(bytes_.data(), bytes_.size());
    }
}

} // namespace penstock
