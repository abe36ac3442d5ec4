// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/pipeline.hpp"

#include "dataplane/core/admission.hpp"
#include "dataplane/core/flow.hpp"
#include "dataplane/core/flow_choice.hpp"
#include "dataplane/core/flow_entry.hpp"
#include "dataplane/core/follow_plain.hpp"
#include "dataplane/core/nat_flow.hpp"
#include "dataplane/core/nat_state.hpp"
#include "dataplane/core/other_packets.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/parse_plain.hpp"
#include "dataplane/core/rewrite_flows.hpp"
#include "dataplane/core/service_lookup.hpp"
#include "dataplane/core/special_flow.hpp"

#include <algorithm>

namespace penstock {
namespace {

// What stage 3 will read of the flow. Inlined by force: GCC 12 takes a function that does nothing but
// prefetch for one without effects, and leaves out the call (200 cycles at 1 M flows).
[[gnu::always_inline]] inline void prefetch_choice(const WorkerContext& worker, const Flow& flow) {
    if (!is_untracked(flow)) {
        worker.flows.prefetch(flow.hash);
        constexpr std::uint8_t unexpected = TcpHeader::syn | TcpHeader::rst;
        if ((flow.parsed.tcp_flags & unexpected) == 0) [[likely]] {
            return;
        }
        worker.flows.prefetch_alternate(flow.hash); // it will hardly be found in the first one
    }
    prefetch_backend(*flow.service, flow.hash);
}

// Stages 1 and 2 of what the short ways do not take. Not inlined: its many paths would take the
// short one's registers.
[[gnu::noinline]] void parse_and_look_up_any(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    std::uint32_t index,
    Packet& packet,
    Verdict& verdict,
    FlowList& flows
) {
    Flow flow{.index = index};
    parse_any_packet(packet, flow.parsed);
    if (flow.parsed.is_ip() && !flow.parsed.fragment) {
        const ServiceMatch match = look_up_service(packet, flow.parsed, snapshot);
        flow.service = match.service;
        flow.hash = match.hash;
    }
    if (flow.service == nullptr) {
        if (const auto decided = decide_other(worker, snapshot, now, packet, flow)) {
            verdict = *decided;
            return;
        }
    }
    prefetch_choice(worker, flows.append([&] { return flow; }));
}

// What the short ways have found. True unless no service takes the packet.
[[gnu::always_inline]] inline bool append_flow(
    const WorkerContext& worker,
    const ParsedPacket& parsed,
    std::uint32_t index,
    const ServiceMatch& match,
    FlowList& flows
) {
    if (match.service == nullptr) [[unlikely]] {
        return false;
    }
    prefetch_choice(worker, flows.append([&] {
        return Flow{.parsed = parsed, .index = index, .hash = match.hash, .service = match.service};
    }));
    return true;
}

// Stages 1 and 2 for what nearly all packets are; false if this one is not. A branch for each family:
// what it knows beforehand is a constant there.
[[gnu::always_inline]] inline bool parse_and_look_up_plain(
    const WorkerContext& worker,
    const Snapshot& snapshot,
    std::uint32_t index,
    const Packet& packet,
    FlowList& flows
) {
    if (packet.length < plain_least_bytes) {
        return false;
    }
    ParsedPacket parsed;
    const Be16 ethertype = header_at<EthernetHeader>(packet.data).ethertype;
    if (ethertype == ethertype_ipv4) [[likely]] {
        return parse_plain_ipv4(packet, parsed) &&
               append_flow(worker, parsed, index, look_up_ipv4(packet, parsed, snapshot), flows);
    }
    return ethertype == ethertype_ipv6 && parse_plain_ipv6(packet, parsed) &&
           append_flow(worker, parsed, index, look_up_ipv6(packet, parsed, snapshot), flows);
}

// The stages are functions of their own, not inlined into one: each has then all registers to itself.

// Stages 1 and 2: headers, service, hash; the flow table's lines are on their way when it returns.
[[gnu::noinline]] void parse_and_look_up(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    std::span<Packet> packets,
    std::span<Verdict> verdicts,
    FlowList& flows
) {
    for (std::size_t i = 0; i < packets.size(); ++i) {
        const auto index = static_cast<std::uint32_t>(i);
        if (!parse_and_look_up_plain(worker, snapshot, index, packets[i], flows)) [[unlikely]] {
            parse_and_look_up_any(worker, snapshot, now, index, packets[i], verdicts[i], flows);
        }
    }
}

// Stage 3 of what the short way does not take. True if an entry was followed.
[[gnu::noinline]] bool choose_any_backend(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    Flow& flow,
    Packet& packet,
    Verdict& verdict
) {
    if (is_special(flow)) {
        return choose_specially(worker, snapshot, now, packet, flow, verdict);
    }
    FlowTable::Slot* const slot = find_entry(worker.flows, snapshot, flow);
    if (slot == nullptr) {
        flow.backend = start_flow(worker, flow, flow.hash, now);
        return false;
    }
    const FlowEntry entry = FlowTable::read(*slot);
    if (!follows_entry(entry, snapshot.backend(entry.backend), flow.parsed)) {
        flow.backend = move_flow(worker, *slot, entry, flow, flow.hash, now);
        return false;
    }
    FlowTable::update(*slot, entry.backend, next_state(entry.state, flow.parsed), now);
    flow.backend = entry.backend;
    return true;
}

// Stage 3: the backend of every flow.
[[gnu::noinline]] void choose_backends(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    std::span<Flow> flows,
    std::span<Packet> packets,
    std::span<Verdict> verdicts
) {
    std::uint64_t misses = 0;
    for (Flow& flow : flows) {
        if (!is_special(flow)) [[likely]] {
            if (follow_plainly(worker.flows, snapshot, now, flow)) [[likely]] {
                continue;
            }
        } else if (is_untracked(flow)) {
            flow.backend = choose_backend(*flow.service, flow.hash);
            ++misses;
            continue;
        }
        Packet& packet = packets[flow.index];
        Verdict& verdict = verdicts[flow.index];
        misses += choose_any_backend(worker, snapshot, now, flow, packet, verdict) ? 0 : 1;
    }
    worker.stats.worker->flow_hits.add(flows.size() - misses);
    worker.stats.worker->flow_misses.add(misses);
    worker.stats.worker->flows.set(worker.flows.size());
}

void count_verdicts(WorkerCounters& counters, std::span<const Verdict> verdicts) {
    for (const Verdict& verdict : verdicts) {
        if (verdict.kind == VerdictKind::drop) {
            counters.drops[static_cast<std::size_t>(verdict.reason)].add(1);
        } else if (verdict.kind == VerdictKind::reply) {
            counters.replies.add(1);
        } else if (verdict.kind == VerdictKind::hand_over) {
            counters.handed_over.add(1);
        }
    }
}

} // namespace

void process_burst(
    WorkerContext& worker,
    const Snapshot* snapshot,
    CoarseTime now,
    std::span<Packet> packets,
    std::span<Verdict> verdicts
) {
    if (snapshot == nullptr) {
        for (Verdict& verdict : verdicts) {
            verdict = drop(DropReason::no_snapshot);
        }
    } else {
        FlowList flows;
        parse_and_look_up(worker, *snapshot, now, packets, verdicts, flows);
        choose_backends(worker, *snapshot, now, flows.items(), packets, verdicts);
        const std::size_t stopped =
            rewrite_flows(worker, *snapshot, now, flows.items(), packets, verdicts);
        if (stopped == 0 && flows.items().size() == packets.size()) [[likely]] {
            return; // the rest counts what was not forwarded
        }
    }
    count_verdicts(*worker.stats.worker, verdicts);
}

void expire_flows(
    WorkerContext& worker, const Snapshot* snapshot, CoarseTime now, std::size_t buckets
) {
    worker.fragments.expire(now, buckets);
    if (snapshot == nullptr) {
        return;
    }
    const std::size_t erased = worker.flows.sweep(buckets, [&](const FlowEntry& entry) {
        const bool expired = now.since(entry.last_seen) > snapshot->timeout_ticks(entry.state);
        if (expired) {
            worker.stats.backends[entry.backend.value].flows.subtract(1);
            note_flow_ended(worker, snapshot->backend(entry.backend).service);
        }
        return expired;
    });
    worker.stats.worker->flows_expired.add(erased);

    // As large a part of the other tables.
    const std::size_t all = std::max<std::size_t>(1, worker.flows.bucket_count());
    const auto part_of = [&](std::size_t entries) { return ((buckets * entries) + all - 1) / all; };
    expire_nat(worker, *snapshot, now, part_of(worker.nat->flows.capacity()));
    worker.path_mtus.expire(now, part_of(max_backends));
    worker.stats.worker->flows.set(worker.flows.size());
}

} // namespace penstock
