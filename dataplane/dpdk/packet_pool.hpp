// SPDX-License-Identifier: Apache-2.0
// One worker's packet buffers. A pool per worker, so that no buffer of a flow ever crosses to
// another core's cache, and so that net_af_xdp sends what it received without a copy (it compares
// pools).
//
// Thread rule: made and freed on the main lcore; used by the worker and its drivers.
#pragma once

#include "dataplane/api/refusal.hpp"
#include "dataplane/dpdk/memory_plan.hpp"

#include <cstddef>
#include <expected>
#include <memory>

struct rte_mempool;

namespace penstock {

struct PacketPoolFree {
    void operator()(rte_mempool* pool) const;
};

using PacketPool = std::unique_ptr<rte_mempool, PacketPoolFree>;

/// Every page of it is touched, so that the worker takes no fault.
[[nodiscard]] std::expected<PacketPool, Refusal>
make_packet_pool(const MemoryPlan& plan, std::size_t worker);

} // namespace penstock
