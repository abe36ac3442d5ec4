// SPDX-License-Identifier: Apache-2.0
#include "bench/subject.hpp"

#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <random>

namespace penstock::bench {

DesiredState declare(const ForwardingCase& forwarding, Tracking tracking) {
    DesiredState desired;
    desired.generation = 1;
    desired.tunnel_sources.ipv4 = IpPrefix::parse("10.0.0.2");
    desired.tunnel_sources.ipv6 = IpPrefix::parse("2001:db8:f::2");
    ServiceSpec service;
    service.name = "web";
    service.key = {.vip = *IpAddress::parse(forwarding.vip), .port = 80};
    service.forwarding = forwarding.forwarding;
    service.track = tracking == Tracking::flows;
    const char* const network =
        forwarding.family == Family::ipv4 ? "10.0.1.{}" : "2001:db8:2::{:x}";
    for (std::size_t i = 0; i < backend_count; ++i) {
        service.backends.push_back(
            {.name = fmt::format("web-{}", i),
             .key =
                 {.address = *IpAddress::parse(fmt::format(fmt::runtime(network), i + 1)),
                  .port = 80},
             .health = Health::up}
        );
    }
    desired.services.push_back(std::move(service));
    return desired;
}

std::shared_ptr<const Snapshot> compile_or_abort(const DesiredState& desired, IdRegistry& ids) {
    auto compiled = compile_snapshot(desired, ids, nullptr);
    if (!compiled) {
        const CompileError& error = compiled.error();
        std::fprintf(stderr, "bench: %s: %s\n", error.place.c_str(), error.cause.c_str());
        std::abort();
    }
    return *compiled;
}

void resolve_targets(const Snapshot& snapshot, NextHopTable& next_hops) {
    for (const auto& target : snapshot.targets()) {
        next_hops.set(target.id, {.mac = {{2, 0, 0, 0, 1, 1}}, .port = {0}});
    }
}

Subject::Subject(
    const ForwardingCase& forwarding, std::size_t flow_capacity, Clock clock, Tracking tracking
)
    : clock_(clock),
      memory_(FlowTable::bytes_for(flow_capacity)),
      worker_(memory_.bytes(), ports_),
      snapshot_(compile_or_abort(declare(forwarding, tracking), ids_)) {
    resolve_targets(*snapshot_, worker_.next_hops());
}

void Subject::fill(std::size_t entries) {
    std::mt19937_64 random(1);
    const BackendId backend = snapshot_->targets().front().id;
    FlowTable& table = worker_.flows();
    while (table.size() < entries) {
        if (table.insert({random()}, backend, FlowState::tcp_established, filled_at) == nullptr) {
            std::fprintf(stderr, "bench: the table is full with %zu flows\n", table.size());
            std::abort();
        }
    }
}

void Subject::forget_flows() {
    FlowTable& table = worker_.flows();
    table.sweep(table.bucket_count(), [](const FlowEntry& entry) {
        return entry.last_seen.ticks != filled_at.ticks;
    });
}

} // namespace penstock::bench
