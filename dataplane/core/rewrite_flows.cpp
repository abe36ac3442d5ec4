// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/rewrite_flows.hpp"

#include "dataplane/core/cut.hpp"
#include "dataplane/core/rewrite.hpp"
#include "dataplane/core/rewrite_plain.hpp"
#include "dataplane/core/special_flow.hpp"
#include "dataplane/core/too_big_answer.hpp"

#include <algorithm>

namespace penstock {
namespace {

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
    if (may_be_cut(packet, flow.parsed)) {
        verdict.cut_mtu = mtu;
        return true;
    }
    if (mtu <= backend.outer_length) {
        verdict = drop(DropReason::too_big);
        return false;
    }
    verdict = decide_too_big(
        packet,
        flow.parsed,
        worker.ports[packet.rx_port.value],
        static_cast<std::uint16_t>(mtu - backend.outer_length),
        worker.too_big_budget,
        now
    );
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

} // namespace

std::size_t rewrite_flows(
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

} // namespace penstock
