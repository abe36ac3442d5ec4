// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/memory_plan.hpp"

#include "dataplane/core/flow_table.hpp"
#include "dataplane/dpdk/place_text.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>

namespace penstock {

namespace {

// net_af_xdp keeps up to 2048 buffers in each of its fill, receive, transmit and completion rings;
// a NIC's rings are at most 1024 each way (port.cpp).
constexpr std::uint32_t buffers_per_interface = 8192;
constexpr std::uint32_t buffers_per_device = 4096;
// Of its TAP: descriptors of exception_path.cpp, twice.
constexpr std::uint32_t buffers_per_exception_path = 512;
// Bursts in hand and the pool's caches of a worker and of the main lcore.
constexpr std::uint32_t buffers_in_hand = 1024;

// A mempool element around the data room: its header, and struct rte_mbuf.
constexpr std::size_t element_overhead_bytes = 64 + 128;
// What XDP reserves before a frame, Ethernet header with two tags, FCS.
constexpr std::uint32_t xdp_headroom_bytes = 256;
constexpr std::uint32_t frame_overhead_bytes = 14 + 8 + 4;
constexpr std::uint32_t usual_room_bytes = 2048;
constexpr std::uint32_t largest_xdp_room_bytes = 4096 - element_overhead_bytes;

// EAL's own tables, rings and the slack of its allocator.
constexpr std::uint64_t eal_own_mb = 16;
constexpr std::uint64_t bytes_per_mb = 1U << 20U;

std::uint64_t round_up_mb(std::uint64_t bytes) {
    return (bytes + bytes_per_mb - 1) / bytes_per_mb;
}

std::uint32_t choose_room_bytes(const config::DataplaneConfig& dataplane, std::uint16_t mtu) {
    const std::uint32_t frame = xdp_headroom_bytes + mtu + frame_overhead_bytes;
    const std::uint32_t room =
        packet_headroom_bytes + std::max(usual_room_bytes, (frame + 63U) & ~63U);
    const bool has_interface = std::ranges::any_of(dataplane.ports, [](const auto& port) {
        return port.interface.has_value();
    });
    // AF_XDP wants a buffer within a page, a NIC takes larger frames in several segments.
    return has_interface ? std::min(room, largest_xdp_room_bytes)
                         : packet_headroom_bytes + usual_room_bytes;
}

std::uint32_t count_buffers(const config::DataplaneConfig& dataplane) {
    std::uint32_t buffers = buffers_in_hand;
    for (const config::PortConfig& port : dataplane.ports) {
        buffers += port.interface ? buffers_per_interface : buffers_per_device;
        buffers += port.exception ? buffers_per_exception_path : 0;
    }
    return buffers;
}

} // namespace

std::expected<MemoryPlan, Refusal> plan_memory(
    const config::DataplaneConfig& dataplane,
    std::uint64_t free_hugepage_mb,
    std::uint16_t largest_mtu
) {
    MemoryPlan plan;
    plan.buffers_per_worker = count_buffers(dataplane);
    plan.data_room_bytes = static_cast<std::uint16_t>(choose_room_bytes(dataplane, largest_mtu));
    plan.flow_table_bytes = FlowTable::bytes_for(dataplane.flows_per_worker);

    const std::uint64_t workers = dataplane.workers.size();
    const std::uint64_t tables_mb = round_up_mb(workers * plan.flow_table_bytes);
    const std::uint64_t buffers_mb = round_up_mb(
        workers * plan.buffers_per_worker * (plan.data_room_bytes + element_overhead_bytes)
    );
    const std::uint64_t needed_mb = tables_mb + buffers_mb + eal_own_mb;
    if (dataplane.memory_mb < needed_mb) {
        return std::unexpected(Refusal{
            place_text(dataplane.memory_mb_place),
            fmt::format(
                "[dataplane] memory_mb = {} is too small: {} MB of flow tables, {} MB of packet "
                "buffers, "
                "{} MB for DPDK",
                dataplane.memory_mb,
                tables_mb,
                buffers_mb,
                eal_own_mb
            ),
            fmt::format("set it to at least {}, or lower flows_per_worker", needed_mb)
        });
    }
    const bool are_free = free_hugepage_mb >= dataplane.memory_mb;
    const std::string how_to_reserve =
        fmt::format("reserve them: sysctl vm.nr_hugepages={}", (dataplane.memory_mb + 1) / 2);
    if (dataplane.hugepages == config::HugepageMode::on && !are_free) {
        return std::unexpected(Refusal{
            place_text(dataplane.hugepages_place),
            fmt::format(
                "[dataplane] hugepages = \"on\", but {} MB of the {} MB of memory_mb are free",
                free_hugepage_mb,
                dataplane.memory_mb
            ),
            how_to_reserve + ", or set hugepages = \"off\""
        });
    }
    plan.uses_hugepages = are_free && dataplane.hugepages != config::HugepageMode::off;
    // memory_mb is the whole: without hugepages the flow tables are mapped apart from EAL's memory.
    plan.eal_mb = static_cast<std::uint32_t>(
        plan.uses_hugepages ? dataplane.memory_mb : dataplane.memory_mb - tables_mb
    );
    if (!plan.uses_hugepages && dataplane.hugepages == config::HugepageMode::automatic) {
        plan.note = fmt::format(
            "runs without hugepages, more slowly: {} MB are free, {} MB are needed; {}",
            free_hugepage_mb,
            dataplane.memory_mb,
            how_to_reserve
        );
    }
    return plan;
}

std::uint64_t read_free_hugepage_mb() {
    std::uint64_t free_kb = 0;
    std::error_code no_such_folder; // a kernel without hugepages: none are free
    for (const auto& entry :
         std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", no_such_folder)) {
        const std::string name = entry.path().filename();
        constexpr std::string_view prefix = "hugepages-";
        std::uint64_t page_kb = 0;
        std::uint64_t pages = 0;
        if (name.starts_with(prefix) &&
            std::from_chars(name.data() + prefix.size(), name.data() + name.size(), page_kb).ec ==
                std::errc{} &&
            std::ifstream(entry.path() / "free_hugepages") >> pages) {
            free_kb += page_kb * pages;
        }
    }
    return free_kb / 1024;
}

} // namespace penstock
