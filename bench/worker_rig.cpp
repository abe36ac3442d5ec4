// SPDX-License-Identifier: Apache-2.0
#include "bench/worker_rig.hpp"

#include "bench/ring_loop.hpp"

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <rte_launch.h>
#include <rte_lcore.h>

namespace penstock::bench {
namespace {

constexpr unsigned buffers = 4095;

template <typename Value>
Value take(const std::expected<Value, std::string>& made) {
    if (!made) {
        std::fprintf(stderr, "bench: %s\n", made.error().c_str());
        std::abort();
    }
    return *made;
}

} // namespace

WorkerRig::WorkerRig(
    const ForwardingCase& forwarding, std::size_t flow_capacity, unsigned index, bool is_adaptive
)
    : lcore_(index + 1),
      memory_(FlowTable::bytes_for(flow_capacity)),
      services_(max_services),
      backends_(max_backends),
      snapshot_(compile_or_abort(declare(forwarding), ids_)) {
    static int made = 0; // names of rings and ports are unique in a process
    const std::string name = fmt::format("rig{}", ++made);
    in_ = take(make_ring(name + "in"));
    out_ = take(make_ring(name + "out"));
    pool_ = take(make_pool(name, buffers));
    const std::uint16_t port = take(make_ring_port("net_ring_" + name, in_, out_, pool_));
    resolve_targets(*snapshot_, next_hops_);
    (void)publication_.publish(snapshot_.get());
    WorkerSetup setup;
    setup.ports = {{.id = PortId{0}, .dpdk_port = port, .queue = 0, .sends_segments = true}};
    setup.port_facts = facts_;
    setup.flow_memory = memory_.bytes();
    setup.stats = {
        .worker = &counters_, .services = services_.data(), .backends = backends_.data()
    };
    setup.pool = pool_;
    setup.next_hops = &next_hops_;
    setup.path_mtus = &path_mtus_;
    setup.publication = &publication_;
    setup.is_adaptive = is_adaptive;
    worker_ = std::make_unique<Worker>(setup);
    const auto run = [](void* worker) {
        static_cast<Worker*>(worker)->run();
        return 0;
    };
    if (::rte_eal_remote_launch(run, worker_.get(), lcore_) != 0) {
        std::fprintf(stderr, "bench: lcore %u is missing or busy\n", lcore_);
        std::abort();
    }
}

WorkerRig::~WorkerRig() {
    worker_->request_stop();
    (void)::rte_eal_wait_lcore(lcore_);
}

} // namespace penstock::bench
