// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/packet_pool.hpp"

#include "dataplane/dpdk/dpdk_log.hpp"
#include "dataplane/dpdk/lcore_plan.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

namespace penstock {

namespace {

constexpr unsigned cached_buffers = 256;

void touch_pages(rte_mempool*, void*, rte_mempool_memhdr* memory, unsigned) {
    constexpr std::size_t page_bytes = 4096;
    auto* const begin = static_cast<volatile char*>(memory->addr);
    for (std::size_t offset = 0; offset < memory->len; offset += page_bytes) {
        begin[offset] = begin[offset];
    }
}

} // namespace

void PacketPoolFree::operator()(rte_mempool* pool) const {
    ::rte_mempool_free(pool);
}

std::expected<PacketPool, Refusal> make_packet_pool(const MemoryPlan& plan, std::size_t worker) {
    static_assert(RTE_PKTMBUF_HEADROOM >= packet_headroom_bytes);
    const unsigned lcore = lcore_of(worker);
    const std::string name = fmt::format("packets-{}", worker);
    PacketPool pool(::rte_pktmbuf_pool_create(
        name.c_str(),
        plan.buffers_per_worker,
        cached_buffers,
        0,
        plan.data_room_bytes,
        static_cast<int>(::rte_lcore_to_socket_id(lcore))
    ));
    if (!pool) {
        return std::unexpected(Refusal{
            "[dataplane] memory_mb",
            fmt::format(
                "no room for the {} packet buffers of worker {}: {}",
                plan.buffers_per_worker,
                worker,
                ::rte_strerror(rte_errno)
            ),
            "raise it"
        });
    }
    ::rte_mempool_mem_iter(pool.get(), touch_pages, nullptr);
    return pool;
}

} // namespace penstock
