// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/offline_worker.hpp"

#include <cstring>

namespace penstock {
namespace {

void clear(const LineMemory& memory) {
    std::memset(memory.span().data(), 0, memory.span().size());
}

bool is_clear(const LineMemory& memory) {
    const std::span<std::byte> bytes = memory.span();
    // All are 0 if the first one is, and every other one is like the one before it.
    return bytes.front() == std::byte{} &&
           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

} // namespace

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
          .flood = flood_.get(),
          .too_big_budget = {},
      } {}

void OfflineWorker::forget_flows() {
    const auto note_ended = [this](BackendId backend) {
        backends_[backend.value].flows.subtract(1);
    };
    flows_.sweep(flows_.bucket_count(), [&](const FlowEntry& entry) {
        note_ended(entry.backend);
        return true;
    });
    counters_->flows.set(0);
    if (nat_->flows.live() + nat_->flows.resting() == 0) {
        return; // its memory is as it was
    }
    nat_->flows.sweep(
        nat_flow_count,
        {},
        [](const NatFlow&) { return true; },
        [&](const NatFlow& flow) { note_ended(flow.backend); },
        [](const NatFlow&) {}
    );
    clear(nat_memory_);
    nat_ = std::make_unique<NatState>(nat_memory_.span(), nat_flow_count, 0, 1);
    context_.nat = nat_.get();
}

void OfflineWorker::forget() {
    forget_flows();
    fragments_.forget();
    path_mtus_->forget();
    if (is_clear(limit_memory_)) {
        // To make two megabytes anew would be half of what it costs to explain a packet.
        limits_->new_flows = {};
        limits_->flows = {};
    } else {
        clear(limit_memory_);
        limits_ = std::make_unique<LimitState>(limit_memory_.span(), 1);
        context_.limits = limits_.get();
    }
    *flood_ = {};
    context_.too_big_budget = {};
    context_.now_ms = 0;
}

} // namespace penstock
