// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/offline_worker.hpp"

namespace penstock {

OfflineWorker::OfflineWorker(std::span<std::byte> flow_memory, std::span<const PortFacts> ports)
    : fragment_memory_(FragmentTracker::memory_bytes()),
      nat_memory_(NatTable::bytes_for(nat_flow_count)),
      limit_memory_(LimitState::memory_bytes()),
      nat_(std::make_unique<NatState>(nat_memory_.span(), nat_flow_count, 0, 1)),
      limits_(std::make_unique<LimitState>(limit_memory_.span(), 1)),
      flows_(flow_memory),
      fragments_(fragment_memory_.span()),
      services_(max_services),
      backends_(max_backends),
      context_{
          .flows = flows_,
          .fragments = fragments_,
          .next_hops = *next_hops_,
          .path_mtus = *path_mtus_,
          .ports = ports,
          .stats =
              {.worker = counters_.get(), .services = services_.data(), .backends = backends_.data()
              },
          .siblings = {},
          .nat = nat_.get(),
          .limits = limits_.get(),
          .too_big_budget = {},
      } {}

} // namespace penstock
