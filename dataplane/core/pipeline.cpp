// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/pipeline.hpp"

#include "dataplane/core/headers.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/reply.hpp"
#include "dataplane/core/rewrite.hpp"

#include <array>

namespace penstock {
namespace {

// A packet between the stages.
struct Flow {
    ParsedPacket parsed;
    std::uint32_t index = 0; ///< in the burst
    FlowHash hash;
    const ServiceEntry* service = nullptr;
    BackendId backend = null_backend;
};

// The packets of a burst that a stage passes on to the next; the others have their verdict already.
struct Flows {
    std::array<Flow, max_burst> items;
    std::size_t count = 0;
};

Verdict drop(DropReason reason) {
    return {.kind = VerdictKind::drop, .reason = reason};
}

// What a packet to no service is: ours to answer, ours to drop, or the kernel's.
Verdict decide_without_service(
    Packet& packet,
    const ParsedPacket& parsed,
    const IpAddress& destination,
    const PortFacts& port,
    const Snapshot& snapshot
) {
    if (!snapshot.is_vip(destination)) {
        return {.kind = VerdictKind::kernel};
    }
    if (parsed.fragment) {
        return drop(DropReason::fragment);
    }
    if (parsed.kind == PacketKind::ipv4 && parsed.protocol == protocol_icmp) {
        return answer_icmp(packet, parsed, port);
    }
    return drop(DropReason::no_service);
}

// Finds the service and the hash of an IPv4 packet. False: the packet is of no service, or a
// fragment.
bool look_up_ipv4(
    const Packet& packet, Flow& flow, const Snapshot& snapshot, IpAddress& destination
) {
    const ParsedPacket& parsed = flow.parsed;
    const auto ip = read_header<Ipv4Header>(packet.data + parsed.l3);
    if (!parsed.fragment) [[likely]] {
        flow.service =
            snapshot.find_service_ipv4(ip.destination, parsed.protocol, parsed.destination_port);
    }
    if (flow.service == nullptr) {
        destination = IpAddress::from_ipv4(ip.destination);
        return false;
    }
    flow.hash = snapshot.hasher().hash_ipv4(
        ip.source, ip.destination, parsed.source_port, parsed.destination_port, parsed.protocol
    );
    return true;
}

bool look_up_ipv6(
    const Packet& packet, Flow& flow, const Snapshot& snapshot, IpAddress& destination
) {
    const ParsedPacket& parsed = flow.parsed;
    const auto ip = read_header<Ipv6Header>(packet.data + parsed.l3);
    if (!parsed.fragment) [[likely]] {
        flow.service = snapshot.find_service_ipv6(
            ip.destination.data(), parsed.protocol, parsed.destination_port
        );
    }
    if (flow.service == nullptr) {
        destination = IpAddress::from_ipv6(ip.destination);
        return false;
    }
    flow.hash = snapshot.hasher().hash_ipv6(
        ip.source.data(),
        ip.destination.data(),
        parsed.source_port,
        parsed.destination_port,
        parsed.protocol
    );
    return true;
}

// Stages 1 and 2: headers, service, hash; the flow table's lines are on their way when it returns.
void parse_and_look_up(
    const WorkerContext& worker,
    const Snapshot& snapshot,
    std::span<Packet> packets,
    std::span<Verdict> verdicts,
    Flows& flows
) {
    for (std::uint32_t i = 0; i < packets.size(); ++i) {
        Packet& packet = packets[i];
        Flow& flow = flows.items[flows.count];
        flow = {.parsed = parse_packet(packet), .index = i};
        const PortFacts& port = worker.ports[packet.rx_port.value];
        IpAddress destination;
        bool found = false;
        switch (flow.parsed.kind) {
        case PacketKind::ipv4:
            found = look_up_ipv4(packet, flow, snapshot, destination);
            break;
        case PacketKind::ipv6:
            found = look_up_ipv6(packet, flow, snapshot, destination);
            break;
        case PacketKind::arp:
            verdicts[i] = answer_arp(packet, flow.parsed, port, snapshot);
            continue;
        case PacketKind::other:
            verdicts[i] = {.kind = VerdictKind::kernel};
            continue;
        case PacketKind::malformed:
            verdicts[i] = drop(flow.parsed.error);
            continue;
        }
        if (!found) {
            verdicts[i] = decide_without_service(packet, flow.parsed, destination, port, snapshot);
            continue;
        }
        worker.flows.prefetch(flow.hash);
        ++flows.count;
    }
}

bool opens_connection(const ParsedPacket& parsed) {
    constexpr std::uint8_t deciding = TcpHeader::syn | TcpHeader::ack | TcpHeader::rst;
    return parsed.protocol == protocol_tcp && (parsed.tcp_flags & deciding) == TcpHeader::syn;
}

bool resets_connection(const ParsedPacket& parsed) {
    return parsed.protocol == protocol_tcp && (parsed.tcp_flags & TcpHeader::rst) != 0;
}

FlowState first_state(const ParsedPacket& parsed) {
    if (parsed.protocol != protocol_tcp) {
        return FlowState::udp;
    }
    if ((parsed.tcp_flags & (TcpHeader::fin | TcpHeader::rst)) != 0) {
        return FlowState::tcp_closing;
    }
    return opens_connection(parsed) ? FlowState::tcp_syn : FlowState::tcp_established;
}

// A closing flow stays so: the ACKs after a FIN are no new life. A repeated SYN proves nothing new.
FlowState next_state(FlowState state, const ParsedPacket& parsed) {
    if (state == FlowState::tcp_closing || opens_connection(parsed)) {
        return state;
    }
    return first_state(parsed);
}

BackendId choose_backend(const ServiceEntry& service, FlowHash hash) {
    if (service.slots == nullptr) {
        return null_backend;
    }
    return {service.slots[hash.choose_slot(service.slot_count)]};
}

// A SYN on an entry keeps its backend unless that takes no new flows or the old connection is
// ending: otherwise the reuse of a port would hold a drain for ever.
bool follows_entry(
    const FlowEntry& entry, const BackendEntry& backend, const ParsedPacket& parsed
) {
    if (!backend.keeps_flows) {
        return false;
    }
    return !opens_connection(parsed) ||
           (backend.takes_new_flows && entry.state != FlowState::tcp_closing);
}

void count_new_flow(const WorkerStats& stats, ServiceId service, BackendId backend) {
    stats.services[service.value].new_flows.add(1);
    stats.backends[backend.value].new_flows.add(1);
}

// Gives the flow of an entry that it may not follow to another backend.
BackendId move_flow(
    WorkerContext& worker,
    FlowTable::Slot& slot,
    const FlowEntry& entry,
    const Flow& flow,
    CoarseTime now
) {
    const BackendId chosen = choose_backend(*flow.service, flow.hash);
    if (chosen != null_backend) {
        FlowTable::update(slot, chosen, first_state(flow.parsed), now);
        worker.stats.backends[entry.backend.value].flows.subtract(1);
        worker.stats.backends[chosen.value].flows.add(1);
        count_new_flow(worker.stats, flow.service->id, chosen);
    }
    return chosen;
}

BackendId start_flow(WorkerContext& worker, const Flow& flow, CoarseTime now) {
    const BackendId chosen = choose_backend(*flow.service, flow.hash);
    // A reset of an unknown connection ends it; an entry would only wait for its timeout.
    if (chosen == null_backend || resets_connection(flow.parsed)) {
        return chosen;
    }
    if (worker.flows.insert(flow.hash, chosen, first_state(flow.parsed), now) == nullptr) {
        worker.stats.worker->flows_unplaced.add(1);
        return chosen;
    }
    worker.stats.worker->flows_inserted.add(1);
    worker.stats.backends[chosen.value].flows.add(1);
    count_new_flow(worker.stats, flow.service->id, chosen);
    return chosen;
}

// Stage 3: the backend of every flow.
void choose_backends(
    WorkerContext& worker, const Snapshot& snapshot, CoarseTime now, std::span<Flow> flows
) {
    std::uint64_t hits = 0;
    for (Flow& flow : flows) {
        const ServiceId service = flow.service->id;
        FlowTable::Slot* const slot = worker.flows.find(flow.hash, [&](BackendId id) {
            const BackendEntry& backend = snapshot.backend(id);
            return backend.in_use && backend.service == service;
        });
        if (slot == nullptr) {
            flow.backend = start_flow(worker, flow, now);
            continue;
        }
        const FlowEntry entry = FlowTable::read(*slot);
        if (follows_entry(entry, snapshot.backend(entry.backend), flow.parsed)) [[likely]] {
            FlowTable::update(*slot, entry.backend, next_state(entry.state, flow.parsed), now);
            flow.backend = entry.backend;
            ++hits;
        } else {
            flow.backend = move_flow(worker, *slot, entry, flow, now);
        }
    }
    worker.stats.worker->flow_hits.add(hits);
    worker.stats.worker->flow_misses.add(flows.size() - hits);
    worker.stats.worker->flows.set(worker.flows.size());
}

Verdict
send_to_backend(WorkerContext& worker, const Snapshot& snapshot, const Flow& flow, Packet& packet) {
    if (flow.backend == null_backend) {
        return drop(DropReason::no_backend);
    }
    const std::uint64_t word = worker.next_hops.load(flow.backend);
    if (word == 0) {
        return drop(DropReason::next_hop_unresolved);
    }
    const NextHop hop = NextHopTable::unpack(word);
    const auto error = rewrite_for_backend(
        packet,
        flow.parsed,
        snapshot.backend(flow.backend),
        hop,
        worker.ports[hop.port.value],
        worker.next_ip_id
    );
    if (error) {
        return drop(*error);
    }
    return {.kind = VerdictKind::forward, .tx_port = hop.port};
}

// Stage 4: edits and the counters of services and backends.
void rewrite_flows(
    WorkerContext& worker,
    const Snapshot& snapshot,
    std::span<const Flow> flows,
    std::span<Packet> packets,
    std::span<Verdict> verdicts
) {
    for (const Flow& flow : flows) {
        Packet& packet = packets[flow.index];
        const std::uint32_t received = packet.total_length;
        Verdict verdict = send_to_backend(worker, snapshot, flow, packet);
        verdict.service = flow.service->id;
        verdict.backend = flow.backend;
        verdicts[flow.index] = verdict;
        ServiceCounters& service = worker.stats.services[flow.service->id.value];
        if (verdict.kind == VerdictKind::drop) [[unlikely]] {
            service.dropped_packets.add(1);
            continue;
        }
        BackendCounters& backend = worker.stats.backends[flow.backend.value];
        service.packets.add(1);
        service.bytes.add(received);
        backend.packets.add(1);
        backend.bytes.add(received);
    }
}

void count_verdicts(WorkerCounters& counters, std::span<const Verdict> verdicts) {
    for (const Verdict& verdict : verdicts) {
        if (verdict.kind == VerdictKind::drop) {
            counters.drops[static_cast<std::size_t>(verdict.reason)].add(1);
        } else if (verdict.kind == VerdictKind::reply) {
            counters.replies.add(1);
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
        Flows flows;
        parse_and_look_up(worker, *snapshot, packets, verdicts, flows);
        const std::span<Flow> found = std::span(flows.items).first(flows.count);
        choose_backends(worker, *snapshot, now, found);
        rewrite_flows(worker, *snapshot, found, packets, verdicts);
    }
    count_verdicts(*worker.stats.worker, verdicts);
}

void expire_flows(
    WorkerContext& worker, const Snapshot* snapshot, CoarseTime now, std::size_t buckets
) {
    if (snapshot == nullptr) {
        return;
    }
    const std::size_t erased = worker.flows.sweep(buckets, [&](const FlowEntry& entry) {
        const bool expired = now.since(entry.last_seen) > snapshot->timeout_ticks(entry.state);
        if (expired) {
            worker.stats.backends[entry.backend.value].flows.subtract(1);
        }
        return expired;
    });
    worker.stats.worker->flows_expired.add(erased);
    worker.stats.worker->flows.set(worker.flows.size());
}

} // namespace penstock
