// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/pipeline.hpp"

#include "dataplane/core/admission.hpp"
#include "dataplane/core/flow.hpp"
#include "dataplane/core/flow_choice.hpp"
#include "dataplane/core/flow_entry.hpp"
#include "dataplane/core/nat_flow.hpp"
#include "dataplane/core/nat_state.hpp"
#include "dataplane/core/other_packets.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/parse_plain.hpp"
#include "dataplane/core/rewrite.hpp"
#include "dataplane/core/rewrite_plain.hpp"
#include "dataplane/core/service_lookup.hpp"
#include "dataplane/core/special_flow.hpp"

#include <algorithm>

namespace penstock {
namespace {

Verdict drop(DropReason reason) {
    return {.kind = VerdictKind::drop, .reason = reason};
}

// True if the packet has a flow's addresses and ports.
bool parse_for_flow(const Packet& packet, ParsedPacket& parsed) {
    if (parse_plain_packet(packet, parsed)) [[likely]] {
        return true;
    }
    parse_any_packet(packet, parsed);
    return parsed.is_ip() && !parsed.fragment;
}

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

// Stages 1 and 2: headers, service, hash; the flow table's lines are on their way when it returns.
void parse_and_look_up(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    std::span<Packet> packets,
    std::span<Verdict> verdicts,
    FlowList& flows
) {
    for (std::uint32_t i = 0; i < packets.size(); ++i) {
        Packet& packet = packets[i];
        Flow& flow = flows.append();
        flow.index = i;
        if (!parse_for_flow(packet, flow.parsed) || !look_up_service(packet, snapshot, flow))
            [[unlikely]] {
            if (const auto verdict = decide_other(worker, snapshot, now, packet, flow)) {
                verdicts[i] = *verdict;
                flows.remove_last();
                continue;
            }
        }
        prefetch_choice(worker, flow);
    }
}

// Stage 3: the backend of every flow.
void choose_backends(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    std::span<Flow> flows,
    std::span<Packet> packets,
    std::span<Verdict> verdicts
) {
    std::uint64_t hits = 0;
    for (Flow& flow : flows) {
        if (is_special(flow)) [[unlikely]] {
            if (is_untracked(flow)) {
                flow.backend = choose_backend(*flow.service, flow.hash);
                continue;
            }
            const bool hit = choose_specially(
                worker, snapshot, now, packets[flow.index], flow, verdicts[flow.index]
            );
            hits += hit ? 1 : 0;
            continue;
        }
        FlowTable::Slot* const slot = find_entry(worker.flows, snapshot, flow);
        if (slot == nullptr) {
            flow.backend = start_flow(worker, flow, flow.hash, now);
            continue;
        }
        const FlowEntry entry = FlowTable::read(*slot);
        if (follows_entry(entry, snapshot.backend(entry.backend), flow.parsed)) [[likely]] {
            FlowTable::update(*slot, entry.backend, next_state(entry.state, flow.parsed), now);
            flow.backend = entry.backend;
            ++hits;
        } else {
            flow.backend = move_flow(worker, *slot, entry, flow, flow.hash, now);
        }
    }
    worker.stats.worker->flow_hits.add(hits);
    worker.stats.worker->flow_misses.add(flows.size() - hits);
    worker.stats.worker->flows.set(worker.flows.size());
}

bool may_be_cut(const Packet& packet, const ParsedPacket& parsed) {
    return parsed.kind == PacketKind::ipv4 &&
           (header_at<Ipv4Header>(packet.data + parsed.l3).fragment.host() &
            Ipv4Header::dont_fragment) == 0;
}

// A packet that is larger than what may leave towards its backend. True if it may leave all the
// same, in pieces; else the verdict is there.
bool handle_too_big(
    WorkerContext& worker,
    CoarseTime now,
    const BackendEntry& backend,
    std::uint16_t mtu,
    const Flow& flow,
    Packet& packet,
    Verdict& verdict
) {
    const ParsedPacket& parsed = flow.parsed;
    if (may_be_cut(packet, parsed)) {
        verdict.cut_mtu = mtu;
        return true;
    }
    constexpr std::uint32_t message_headers = sizeof(Ipv6Header) + sizeof(IcmpHeader);
    const bool fits = packet.headroom >= message_headers && mtu > backend.outer_length &&
                      packet.length > parsed.l3 + message_headers;
    if (fits && worker.too_big_budget.take(now)) {
        const auto inner_mtu = static_cast<std::uint16_t>(mtu - backend.outer_length);
        verdict = answer_too_big(packet, parsed, worker.ports[packet.rx_port.value], inner_mtu);
    } else {
        verdict = drop(DropReason::too_big);
    }
    return false;
}

// Sends the packet on its way, or says why not in `verdict`.
void send_to_backend(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    const Flow& flow,
    Packet& packet,
    Verdict& verdict
) {
    if (flow.backend == null_backend) {
        verdict = drop(DropReason::no_backend);
        return;
    }
    const std::uint64_t hop = worker.next_hops.load(flow.backend);
    if (hop == 0) {
        verdict = drop(DropReason::next_hop_unresolved);
        return;
    }
    const BackendEntry& backend = snapshot.backend(flow.backend);
    verdict.tx_port = NextHopTable::port(hop);
    verdict.cut_mtu = 0;
    const PortFacts& port = worker.ports[verdict.tx_port.value];
    const std::uint32_t length = sent_length(packet, flow.parsed, backend);
    if (length > PathMtuTable::least_ipv4) {
        const std::uint16_t mtu = std::min(port.mtu, worker.path_mtus.load(flow.backend, now));
        if (length > mtu && !handle_too_big(worker, now, backend, mtu, flow, packet, verdict)) {
            return;
        }
    }
    if (is_edited(flow)) [[unlikely]] {
        edit_specially(worker, packet, flow);
    }
    if (is_plain_ipip(packet, flow.parsed, backend)) {
        rewrite_plain_ipip(packet, flow.parsed, backend, hop, port.mac);
        verdict.kind = VerdictKind::forward;
        return;
    }
    if (is_plain_l2dsr(backend)) {
        write_ethernet_addresses(packet.data, hop, port.mac);
        verdict.kind = VerdictKind::forward;
        return;
    }
    const auto refused =
        rewrite_for_backend(packet, flow.parsed, backend, hop, port.mac, flow.hash);
    if (refused) [[unlikely]] {
        verdict = drop(*refused);
        return;
    }
    verdict.kind = VerdictKind::forward;
}

// Stage 4: edits and the counters of services and backends. Returns how many packets are forwarded.
std::size_t rewrite_flows(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    std::span<const Flow> flows,
    std::span<Packet> packets,
    std::span<Verdict> verdicts
) {
    std::size_t forwarded = 0;
    for (const Flow& flow : flows) {
        Packet& packet = packets[flow.index];
        Verdict& verdict = verdicts[flow.index];
        const std::uint32_t received = packet.total_length;
        const ServiceId service_id = flow.service->id;
        ServiceCounters& service = worker.stats.services[service_id.value];
        if (!flow.has_verdict) [[likely]] {
            send_to_backend(worker, snapshot, now, flow, packet, verdict);
        }
        verdict.service = service_id;
        verdict.backend = flow.backend;
        if (verdict.kind == VerdictKind::hand_over) [[unlikely]] {
            continue; // another worker counts what becomes of it
        }
        if (verdict.kind != VerdictKind::forward) [[unlikely]] {
            service.dropped_packets.add(1);
            continue;
        }
        ++forwarded;
        BackendCounters& backend = worker.stats.backends[flow.backend.value];
        service.packets.add(1);
        service.bytes.add(received);
        backend.packets.add(1);
        backend.bytes.add(received);
    }
    return forwarded;
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
        if (rewrite_flows(worker, *snapshot, now, flows.items(), packets, verdicts) ==
            packets.size()) [[likely]] {
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

    // As large a part of the NAT table.
    const std::size_t all = std::max<std::size_t>(1, worker.flows.bucket_count());
    const std::size_t nat_flows = worker.nat->flows.capacity();
    expire_nat(worker, *snapshot, now, ((buckets * nat_flows) + all - 1) / all);
    worker.stats.worker->flows.set(worker.flows.size());
}

} // namespace penstock
