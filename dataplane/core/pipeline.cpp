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

// The stages are functions of their own, not inlined into one: each has then all registers to itself.

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
    for (std::uint32_t i = 0; i < packets.size(); ++i) {
        if (!parse_and_look_up_plain(worker, snapshot, i, packets[i], flows)) [[unlikely]] {
            parse_and_look_up_any(worker, snapshot, now, i, packets[i], verdicts[i], flows);
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
        rewrite_plain_ipip(packet, flow.parsed, backend, hop, port);
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

void count_forwarded(
    const WorkerStats& stats, ServiceId service, BackendId backend, std::uint32_t bytes
) {
    ServiceCounters& of_service = stats.services[service.value];
    of_service.packets.add(1);
    of_service.bytes.add(bytes);
    BackendCounters& of_backend = stats.backends[backend.value];
    of_backend.packets.add(1);
    of_backend.bytes.add(bytes);
}

// The short way of send_to_backend(), for what needs no look at an MTU; counts it, too. False if the
// packet takes the other one.
[[gnu::always_inline]] inline bool send_plainly(
    const WorkerContext& worker,
    const Snapshot& snapshot,
    const Flow& flow,
    Packet& packet,
    Verdict& verdict
) {
    constexpr std::uint32_t most = PathMtuTable::least_ipv4 - sizeof(Ipv6Header);
    const BackendEntry& backend = snapshot.backend(flow.backend);
    const std::uint64_t hop = worker.next_hops.load(flow.backend);
    const bool is_ipv4 = is_plain_ipip(packet, flow.parsed, backend);
    if (packet.total_length > most || hop == 0 ||
        !(is_ipv4 || is_plain_ipip6(packet, flow.parsed, backend))) {
        return false;
    }
    count_forwarded(worker.stats, backend.service, flow.backend, packet.total_length);
    const PortId port = NextHopTable::port(hop);
    verdict = {
        .kind = VerdictKind::forward,
        .tx_port = port,
        .service = backend.service,
        .backend = flow.backend
    };
    const PortFacts& facts = worker.ports[port.value];
    if (is_ipv4) {
        rewrite_plain_ipip(packet, flow.parsed, backend, hop, facts);
    } else {
        rewrite_plain_ipip6(packet, flow.parsed, backend, hop, facts, flow.hash);
    }
    return true;
}

// Stage 4 of what the short way does not take. True if the packet is forwarded.
[[gnu::noinline]] bool rewrite_any_flow(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    const Flow& flow,
    Packet& packet,
    Verdict& verdict
) {
    const std::uint32_t received = packet.total_length;
    const ServiceId service = flow.service->id;
    if (!flow.has_verdict) [[likely]] {
        send_to_backend(worker, snapshot, now, flow, packet, verdict);
    }
    verdict.service = service;
    verdict.backend = flow.backend;
    if (verdict.kind == VerdictKind::forward) [[likely]] {
        count_forwarded(worker.stats, service, flow.backend, received);
        return true;
    }
    if (verdict.kind != VerdictKind::hand_over) { // else another worker counts what becomes of it
        worker.stats.services[service.value].dropped_packets.add(1);
    }
    return false;
}

// Stage 4: edits and the counters of services and backends. Returns how many packets are not
// forwarded.
[[gnu::noinline]] std::size_t rewrite_flows(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    std::span<const Flow> flows,
    std::span<Packet> packets,
    std::span<Verdict> verdicts
) {
    std::size_t stopped = 0;
    for (const Flow& flow : flows) {
        Packet& packet = packets[flow.index];
        Verdict& verdict = verdicts[flow.index];
        if (flow.has_verdict || !send_plainly(worker, snapshot, flow, packet, verdict))
            [[unlikely]] {
            stopped += rewrite_any_flow(worker, snapshot, now, flow, packet, verdict) ? 0 : 1;
        }
    }
    return stopped;
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

    // As large a part of the NAT table.
    const std::size_t all = std::max<std::size_t>(1, worker.flows.bucket_count());
    const std::size_t nat_flows = worker.nat->flows.capacity();
    expire_nat(worker, *snapshot, now, ((buckets * nat_flows) + all - 1) / all);
    worker.stats.worker->flows.set(worker.flows.size());
}

} // namespace penstock
