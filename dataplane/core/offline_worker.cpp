// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/offline_worker.hpp"

namespace penstock {

OfflineWorker::OfflineWorker(std::span<std::byte> flow_memory, std::span<const PortFacts> ports)
    : fragment_memory_(FragmentTracker::memory_bytes()),
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
          .too_big_budget = {},
      } {}

} // namespace penstock
