// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/pipeline.hpp"

#include "dataplane/core/headers.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/reply.hpp"
#include "dataplane/core/rewrite.hpp"

#include <array>
#include <memory>
#include <optional>
#include <type_traits>

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
// Made one by one: clearing 32 of them ahead would cost more than parsing does.
class FlowList {
public:
    Flow& append() { return *std::construct_at(item(count_++)); }

    void remove_last() { --count_; }

    [[nodiscard]] std::span<Flow> items() { return {item(0), count_}; }

private:
    Flow* item(std::size_t i) { return reinterpret_cast<Flow*>(storage_.data()) + i; }

    static_assert(std::is_trivially_destructible_v<Flow>);
    alignas(Flow) std::array<std::byte, sizeof(Flow) * max_burst> storage_;
    std::size_t count_ = 0;
};

Verdict drop(DropReason reason) {
    return {.kind = VerdictKind::drop, .reason = reason};
}

// What a packet to no service is: ours to answer, ours to drop, or the kernel's.
Verdict decide_without_service(
    Packet& packet, const ParsedPacket& parsed, const PortFacts& port, const Snapshot& snapshot
) {
    const std::uint8_t* const l3 = packet.data + parsed.l3;
    const bool ipv4 = parsed.kind == PacketKind::ipv4;
    const IpAddress destination = ipv4
                                      ? IpAddress::from_ipv4(header_at<Ipv4Header>(l3).destination)
                                      : IpAddress::from_ipv6(header_at<Ipv6Header>(l3).destination);
    if (!snapshot.is_vip(destination)) {
        return {.kind = VerdictKind::kernel};
    }
    if (parsed.fragment) {
        return drop(DropReason::fragment);
    }
    if (ipv4 && parsed.protocol == protocol_icmp) {
        return answer_icmp(packet, parsed, port);
    }
    return drop(DropReason::no_service);
}

// Finds the service and the hash of an IPv4 packet that is no fragment. False: it is of no service.
bool look_up_ipv4(const Packet& packet, const Snapshot& snapshot, Flow& flow) {
    const ParsedPacket& parsed = flow.parsed;
    const auto& ip = header_at<Ipv4Header>(packet.data + parsed.l3);
    flow.service =
        snapshot.find_service_ipv4(ip.destination, parsed.protocol, parsed.destination_port);
    if (flow.service == nullptr) {
        return false;
    }
    flow.hash = snapshot.hasher().hash_ipv4(
        ip.source, ip.destination, parsed.source_port, parsed.destination_port, parsed.protocol
    );
    return true;
}

bool look_up_ipv6(const Packet& packet, const Snapshot& snapshot, Flow& flow) {
    const ParsedPacket& parsed = flow.parsed;
    const auto& ip = header_at<Ipv6Header>(packet.data + parsed.l3);
    flow.service =
        snapshot.find_service_ipv6(ip.destination.data(), parsed.protocol, parsed.destination_port);
    if (flow.service == nullptr) {
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

// What a packet is that has no service to look for, or found none.
Verdict decide_other(
    Packet& packet, const ParsedPacket& parsed, const PortFacts& port, const Snapshot& snapshot
) {
    switch (parsed.kind) {
    case PacketKind::malformed:
        return drop(parsed.error);
    case PacketKind::other:
        return {.kind = VerdictKind::kernel};
    case PacketKind::arp:
        return answer_arp(packet, parsed, port, snapshot);
    case PacketKind::ipv4:
    case PacketKind::ipv6:
        return decide_without_service(packet, parsed, port, snapshot);
    }
    __builtin_unreachable();
}

bool look_up(const Packet& packet, const Snapshot& snapshot, Flow& flow) {
    if (flow.parsed.fragment) [[unlikely]] {
        return false; // ports are in the first one only
    }
    if (flow.parsed.kind == PacketKind::ipv4) [[likely]] {
        return look_up_ipv4(packet, snapshot, flow);
    }
    return flow.parsed.kind == PacketKind::ipv6 && look_up_ipv6(packet, snapshot, flow);
}

// Stages 1 and 2: headers, service, hash; the flow table's lines are on their way when it returns.
void parse_and_look_up(
    const WorkerContext& worker,
    const Snapshot& snapshot,
    std::span<Packet> packets,
    std::span<Verdict> verdicts,
    FlowList& flows
) {
    for (std::uint32_t i = 0; i < packets.size(); ++i) {
        Packet& packet = packets[i];
        Flow& flow = flows.append();
        flow.index = i;
        parse_packet(packet, flow.parsed);
        if (look_up(packet, snapshot, flow)) [[likely]] {
            worker.flows.prefetch(flow.hash);
            continue;
        }
        const PortFacts& port = worker.ports[packet.rx_port.value];
        verdicts[i] = decide_other(packet, flow.parsed, port, snapshot);
        flows.remove_last();
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

// Returns why the packet cannot go to its backend, if it cannot.
std::optional<DropReason> send_to_backend(
    WorkerContext& worker,
    const Snapshot& snapshot,
    const Flow& flow,
    Packet& packet,
    PortId& tx_port
) {
    if (flow.backend == null_backend) {
        return DropReason::no_backend;
    }
    const std::uint64_t hop = worker.next_hops.load(flow.backend);
    if (hop == 0) {
        return DropReason::next_hop_unresolved;
    }
    tx_port = NextHopTable::port(hop);
    return rewrite_for_backend(
        packet,
        flow.parsed,
        snapshot.backend(flow.backend),
        hop,
        worker.ports[tx_port.value],
        worker.next_ip_id
    );
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
        Verdict& verdict = verdicts[flow.index];
        const std::uint32_t received = packet.total_length;
        const ServiceId service_id = flow.service->id;
        verdict.service = service_id;
        verdict.backend = flow.backend;
        const auto refused = send_to_backend(worker, snapshot, flow, packet, verdict.tx_port);
        ServiceCounters& service = worker.stats.services[service_id.value];
        if (refused) [[unlikely]] {
            verdict.kind = VerdictKind::drop;
            verdict.reason = *refused;
            service.dropped_packets.add(1);
            continue;
        }
        verdict.kind = VerdictKind::forward;
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
        FlowList flows;
        parse_and_look_up(worker, *snapshot, packets, verdicts, flows);
        choose_backends(worker, *snapshot, now, flows.items());
        rewrite_flows(worker, *snapshot, flows.items(), packets, verdicts);
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
