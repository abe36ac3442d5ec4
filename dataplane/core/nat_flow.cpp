// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/nat_flow.hpp"

#include "dataplane/core/admission.hpp"
#include "dataplane/core/flow_choice.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/core/nat_rewrite.hpp"
#include "dataplane/core/nat_state.hpp"
#include "dataplane/core/nat_state_change.hpp"
#include "dataplane/core/nat_tuples.hpp"
#include "dataplane/core/other_packets.hpp"
#include "dataplane/core/reset_answer.hpp"
#include "dataplane/core/toa.hpp"

#include <algorithm>
#include <cstring>
#include <expected>

namespace penstock {
namespace {

// Remembers how the client's packet came; stores only if that changed.
void note_path(NatFlow& flow, const Packet& packet, const ParsedPacket& parsed) {
    ClientPath path{
        .mac = header_at<EthernetHeader>(packet.data).source,
        .port = packet.rx_port,
        .tag_bytes = static_cast<std::uint8_t>(parsed.l3 - sizeof(EthernetHeader)),
    };
    std::memcpy(path.tags.data(), packet.data + (2 * sizeof(MacAddress)), path.tag_bytes);
    if (path != flow.path) {
        flow.path = path;
    }
}

void end_flow(WorkerContext& worker, NatFlow& flow) {
    worker.nat->flows.retire(flow);
    worker.stats.backends[flow.backend.value].flows.subtract(1);
    note_flow_ended(worker, flow.service);
}

// False: the packet begins a new flow on the old tuple, or the entry may not be followed.
bool may_follow(const NatFlow& known, const Snapshot& snapshot, const Flow& flow) {
    const BackendEntry& backend = snapshot.backend(known.backend);
    if (!backend.in_use || !backend.keeps_flows || known.service != flow.service->id) {
        return false;
    }
    return !opens_connection(flow.parsed) ||
           (backend.takes_new_flows && known.state != FlowState::tcp_closing);
}

// The client's RST instead of a packet to a server that is gone, if the service wants that.
bool reset_client(
    WorkerContext& worker,
    const Snapshot& snapshot,
    const NatFlow& known,
    Packet& packet,
    Flow& flow,
    Verdict& verdict
) {
    const bool wanted = (flow.service->features & feature::down_reset) != 0 &&
                        snapshot.backend(known.backend).resets_flows;
    if (!wanted || flow.parsed.protocol != protocol_tcp || opens_connection(flow.parsed)) {
        return false;
    }
    verdict = answer_reset(packet, flow.parsed, worker.ports[packet.rx_port.value]);
    flow.backend = known.backend; // for the counters
    flow.has_verdict = true;
    return true;
}

// A flow to `chosen`, without its source yet.
NatFlow
draft_flow(const Snapshot& snapshot, BackendId chosen, const Flow& flow, const FlowTuple& tuple) {
    const BackendEntry& backend = snapshot.backend(chosen);
    NatFlow draft;
    draft.client = tuple.source;
    draft.vip = tuple.destination;
    draft.client_port = tuple.source_port;
    draft.vip_port = tuple.destination_port;
    draft.server = backend.nat_address();
    draft.server_port = backend.port == 0 ? tuple.destination_port : Be16{backend.port};
    draft.protocol = tuple.protocol;
    draft.state = first_state(flow.parsed);
    draft.service = flow.service->id;
    draft.backend = chosen;
    return draft;
}

std::expected<NatFlow*, DropReason> start_nat_flow(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    const Packet& packet,
    const Flow& flow,
    const FlowTuple& tuple
) {
    NatState& nat = *worker.nat;
    const BackendId named = named_backend(snapshot, packet, flow);
    const BackendId chosen = choose_new_backend(snapshot, packet, flow, named);
    if (chosen == null_backend) {
        return std::unexpected(DropReason::no_backend);
    }
    if (resets_connection(flow.parsed)) {
        return std::unexpected(DropReason::nat_no_flow); // of nobody's connection
    }
    if (const auto refused = refuse_new_flow(worker, snapshot, packet, flow, chosen)) {
        return std::unexpected(*refused);
    }
    if (nat.flows.full()) {
        return std::unexpected(DropReason::nat_table_full);
    }
    NatFlow draft = draft_flow(snapshot, chosen, flow, tuple);
    FlowTuple reply = reversed(source_to_server(draft));
    const auto is_taken = [&](const NatSource& source) {
        reply.destination = source.address;
        reply.destination_port = source.port;
        return nat.flows.is_taken(snapshot.hasher().hash(reply), reply);
    };
    const auto sources = snapshot.nat_sources(draft.server.family());
    const auto source = nat.ports.find_free(chosen, sources, flow.hash.digest(), is_taken);
    if (!source) {
        return std::unexpected(DropReason::nat_ports_exhausted);
    }
    draft.source = source->address;
    draft.source_port = source->port;
    draft.last_seen = now;
    NatFlow* const made = nat.flows.insert(draft, flow.hash, snapshot.hasher().hash(reply));
    nat.ports.count_taken(chosen);
    note_flow_started(worker, flow.service->id);
    worker.stats.worker->flows_inserted.add(1);
    worker.stats.services[flow.service->id.value].new_flows.add(1);
    worker.stats.backends[chosen.value].new_flows.add(1);
    worker.stats.backends[chosen.value].flows.add(1);
    return made;
}

void decide(Flow& flow, Verdict& verdict, const Verdict& decision) {
    verdict = decision;
    flow.has_verdict = true;
}

// An ICMP error from the client's side: it quotes what we sent from the VIP to the client.
bool follow_quoted(
    const WorkerContext& worker, const Packet& packet, Flow& flow, Verdict& verdict
) {
    const auto quoted = quoted_in(packet, flow.parsed);
    if (!quoted) {
        decide(flow, verdict, drop(DropReason::bad_icmp_error));
        return false;
    }
    flow.nat = worker.nat->flows.find_forward(flow.hash, reversed(tuple_of(*quoted)));
    if (flow.nat == nullptr) {
        decide(flow, verdict, pass_on(*worker.nat, packet, DropReason::nat_no_flow));
        return false;
    }
    flow.backend = flow.nat->backend;
    return true;
}

bool follow_datagram(
    const WorkerContext& worker, CoarseTime now, const Packet& packet, Flow& flow, Verdict& verdict
) {
    const auto index = worker.nat->fragments.find(flow.hash, now);
    NatFlow* const known = index ? worker.nat->flows.at(*index) : nullptr;
    if (known == nullptr || known->client != source_of(packet, flow.parsed) ||
        known->vip != destination_of(packet, flow.parsed)) {
        const DropReason reason = DropReason::fragment_without_first;
        decide(flow, verdict, pass_on(*worker.nat, packet, reason));
        return false;
    }
    known->last_seen = now;
    flow.nat = known;
    flow.backend = known->backend;
    return true;
}

void add_client_address(WorkerContext& worker, Packet& packet, const Flow& flow) {
    const NatFlow& known = *flow.nat;
    const bool wanted = flow.service->policy->toa && flow.parsed.protocol == protocol_tcp &&
                        !known.server_answered && flow.role == FlowRole::member;
    if (!wanted) {
        return;
    }
    blank_toa(packet, flow.parsed);
    constexpr std::uint8_t deciding = TcpHeader::syn | TcpHeader::rst | TcpHeader::ack;
    if ((flow.parsed.tcp_flags & deciding) != TcpHeader::ack) {
        return;
    }
    const std::uint64_t hop = worker.next_hops.load(flow.backend);
    const std::uint32_t mtu = worker.ports[NextHopTable::port(hop).value].mtu;
    add_toa(packet, flow.parsed, known.client, known.client_port, mtu);
}

} // namespace

bool choose_nat(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    Packet& packet,
    Flow& flow,
    Verdict& verdict
) {
    if (flow.role == FlowRole::quoting) {
        return follow_quoted(worker, packet, flow, verdict);
    }
    if (flow.role == FlowRole::later_fragment) {
        return follow_datagram(worker, now, packet, flow, verdict);
    }
    const FlowTuple tuple = tuple_of(packet, flow.parsed);
    NatFlow* known = worker.nat->flows.find_forward(flow.hash, tuple);
    bool followed = known != nullptr;
    if (known != nullptr && !may_follow(*known, snapshot, flow)) {
        followed = false;
        const bool answered = reset_client(worker, snapshot, *known, packet, flow, verdict);
        end_flow(worker, *known);
        if (answered) {
            return false;
        }
        known = nullptr;
    }
    if (known == nullptr) {
        const auto started = start_nat_flow(worker, snapshot, now, packet, flow, tuple);
        if (!started) {
            decide(flow, verdict, drop(started.error()));
            return false;
        }
        known = *started;
    }
    note_packet(*known, flow.parsed, NatDirection::from_client, now);
    note_path(*known, packet, flow.parsed);
    flow.nat = known;
    flow.backend = known->backend;
    if (flow.role == FlowRole::first_fragment) {
        // Not with the edits: the rest of the datagram, in the same burst, is decided before them.
        const FlowHash datagram = hash_datagram(snapshot.hasher(), packet, flow.parsed);
        worker.nat->fragments.remember(datagram, worker.nat->flows.index_of(*known), now);
    }
    return followed;
}

void edit_nat(WorkerContext& worker, Packet& packet, const Flow& flow) {
    const FlowTuple out = source_to_server(*flow.nat);
    if (flow.role == FlowRole::quoting) {
        if (const auto quoted = quoted_in(packet, flow.parsed)) {
            rewrite_error(packet, flow.parsed, *quoted, out, reversed(out));
        }
        return;
    }
    add_client_address(worker, packet, flow);
    rewrite_tuple(packet, flow.parsed, out);
}

void expire_nat(
    WorkerContext& worker, const Snapshot& snapshot, CoarseTime now, std::size_t entries
) {
    NatState& nat = *worker.nat;
    std::uint64_t expired = 0;
    nat.flows.sweep(
        entries,
        now,
        [&](const NatFlow& flow) {
            return now.since(flow.last_seen) > snapshot.timeout_ticks(flow.state);
        },
        [&](const NatFlow& flow) {
            worker.stats.backends[flow.backend.value].flows.subtract(1);
            note_flow_ended(worker, flow.service);
            ++expired;
        },
        [&](const NatFlow& flow) { nat.ports.count_freed(flow.backend); }
    );
    constexpr std::size_t pools_a_call = 256;
    nat.ports.survey(pools_a_call);
    WorkerCounters& counters = *worker.stats.worker;
    counters.flows_expired.add(expired);
    counters.nat_flows.set(nat.flows.live());
    counters.nat_resting.set(nat.flows.resting());
    counters.nat_capacity.set(nat.flows.capacity());
    counters.nat_pool_fullest.set(nat.ports.fullest());
    const std::size_t sources = std::max(
        snapshot.nat_sources(Family::ipv4).size(), snapshot.nat_sources(Family::ipv6).size()
    );
    counters.nat_pool_ports.set(sources * nat.ports.share().count);
}

} // namespace penstock
