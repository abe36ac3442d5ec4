// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/offline_worker.hpp"

#include "dataplane/core/cut.hpp"
#include "dataplane/core/port_vlan.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace penstock {
namespace {

constexpr std::uint16_t headroom = 128; // as DPDK's buffers have
constexpr std::uint64_t ms_per_s = 1000;
constexpr std::uint64_t ms_per_tick = CoarseTime::seconds_per_tick * ms_per_s;

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

OfflineWorker::Buffer OfflineWorker::make_buffer(const OfflineFrame& frame) {
    Buffer buffer{
        .memory = std::make_unique<std::uint8_t[]>(headroom + frame.bytes.size()),
        .packet = {},
        .id = frame.id,
    };
    std::ranges::copy(frame.bytes, buffer.memory.get() + headroom);
    buffer.packet = {
        .data = buffer.memory.get() + headroom,
        .length = static_cast<std::uint32_t>(frame.bytes.size()),
        .total_length = frame.length,
        .headroom = headroom,
        .rx_port = {0},
    };
    return buffer;
}

CoarseTime OfflineWorker::now() const {
    return CoarseTime::from_seconds(context_.now_ms / ms_per_s);
}

std::uint16_t OfflineWorker::vlan_of(PortId port) const {
    return port.value < vlans_.size() ? vlans_[port.value] : std::uint16_t{0};
}

// False: the port stands in another VLAN.
bool OfflineWorker::strip_tag(Packet& packet) const {
    const std::uint16_t vlan = vlan_of(packet.rx_port);
    if (vlan == 0) {
        return true;
    }
    if (!has_port_tag({packet.data, packet.length}, vlan)) {
        return false;
    }
    cover_port_tag(packet.data);
    packet.data += port_tag_bytes;
    packet.length -= port_tag_bytes;
    packet.total_length -= port_tag_bytes;
    packet.headroom = static_cast<std::uint16_t>(packet.headroom + port_tag_bytes);
    return true;
}

void OfflineWorker::add_sent(
    std::span<const std::uint8_t> bytes, std::uint32_t length, OfflineOutcome& outcome
) const {
    OfflineOutcome::Sent& sent = outcome.sent.emplace_back();
    const std::uint16_t vlan = vlan_of(outcome.verdict.tx_port);
    const std::size_t tag = vlan == 0 ? 0 : port_tag_bytes;
    sent.length = length + static_cast<std::uint32_t>(tag);
    sent.bytes.resize(tag + bytes.size());
    std::ranges::copy(bytes, sent.bytes.data() + tag);
    if (vlan != 0) {
        put_port_tag(sent.bytes.data(), vlan);
    }
}

void OfflineWorker::add_dropped(std::uint64_t id, DropReason reason, Outcomes& decided) {
    counters_->drops[static_cast<std::size_t>(reason)].add(1);
    decided.push_back({.id = id, .verdict = {.reason = reason}, .sent = {}});
}

void OfflineWorker::send(
    const Snapshot* snapshot, std::span<const OfflineFrame> burst, Outcomes& decided
) {
    std::array<Buffer, max_burst> buffers;
    std::size_t count = 0;
    for (const OfflineFrame& frame : burst) {
        buffers[count] = make_buffer(frame);
        if (strip_tag(buffers[count].packet)) {
            ++count;
        } else {
            add_dropped(frame.id, DropReason::foreign_vlan, decided);
        }
    }
    process(snapshot, std::span(buffers).first(count), decided);
    release_ready(snapshot, now(), decided);
}

void OfflineWorker::pass_time(const Snapshot* snapshot, std::uint64_t now_ms, Outcomes& decided) {
    const std::uint64_t then_ms = context_.now_ms;
    const bool is_beyond_wrap = now_ms > then_ms + (max_flow_timeout_s * ms_per_s);
    if (is_beyond_wrap) {
        end_waits(snapshot, decided);
    }
    context_.now_ms = std::max(then_ms, now_ms);
    if (context_.now_ms / ms_per_tick == then_ms / ms_per_tick) {
        return;
    }
    // Coarse time wraps: after a gap longer than every timeout it cannot tell what is old.
    if (is_beyond_wrap) {
        forget_flows();
        fragments_.forget();
        path_mtus_->forget();
    } else {
        expire(snapshot);
        release_ready(snapshot, now(), decided);
    }
}

void OfflineWorker::end_waits(const Snapshot* snapshot, Outcomes& decided) {
    constexpr std::uint16_t longest_ticks = FragmentTracker::hold_s / CoarseTime::seconds_per_tick;
    const auto later = static_cast<std::uint16_t>(now().ticks + longest_ticks + 1U);
    release_ready(snapshot, {static_cast<std::uint16_t>(later & CoarseTime::mask)}, decided);
}

void OfflineWorker::expire(const Snapshot* snapshot) {
    // Sweeping a large table costs, and most are empty when long captures begin.
    if (flows_.size() + nat_->flows.live() + nat_->flows.resting() == 0) {
        fragments_.expire(now(), fragments_.bucket_count());
        path_mtus_->expire(now(), max_backends);
    } else {
        expire_flows(
            context_, snapshot, now(), std::max(flows_.bucket_count(), fragments_.bucket_count())
        );
    }
}

void OfflineWorker::release_ready(const Snapshot* snapshot, CoarseTime now, Outcomes& decided) {
    std::array<Buffer, max_burst> ready;
    std::size_t count = 0;
    do {
        count = 0;
        while (count < ready.size()) {
            const auto slot = fragments_.take_ready(now);
            if (!slot) {
                break;
            }
            ready[count] = std::move(held_[slot->index]);
            ready[count++].packet.was_held = true;
        }
        process(snapshot, std::span(ready).first(count), decided);
    } while (count != 0);
}

void OfflineWorker::process(
    const Snapshot* snapshot, std::span<Buffer> buffers, Outcomes& decided
) {
    std::array<Packet, max_burst> packets;
    std::array<Verdict, max_burst> verdicts;
    std::ranges::transform(buffers, packets.begin(), &Buffer::packet);
    process_burst(
        context_,
        snapshot,
        now(),
        std::span(packets).first(buffers.size()),
        std::span(verdicts).first(buffers.size())
    );
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        buffers[i].packet = packets[i];
        finish(snapshot, buffers[i], verdicts[i], decided);
    }
}

void OfflineWorker::finish(
    const Snapshot* snapshot, Buffer& buffer, const Verdict& verdict, Outcomes& decided
) {
    if (verdict.kind == VerdictKind::hold) {
        held_[verdict.held.index] = std::move(buffer);
        return;
    }
    OfflineOutcome& outcome = decided.emplace_back();
    outcome.id = buffer.id;
    outcome.verdict = verdict;
    const Packet& packet = buffer.packet;
    if (verdict.kind == VerdictKind::forward && verdict.cut_mtu != 0) {
        cut(*snapshot, packet, outcome);
    } else if (verdict.kind == VerdictKind::forward || verdict.kind == VerdictKind::reply) {
        add_sent({packet.data, packet.length}, packet.total_length, outcome);
    }
}

void OfflineWorker::cut(const Snapshot& snapshot, const Packet& packet, OfflineOutcome& outcome) {
    const std::array<std::span<const std::uint8_t>, 1> segments{{{packet.data, packet.length}}};
    const BackendEntry& backend = snapshot.backend(outcome.verdict.backend);
    const Cutter cutter(segments, backend, outcome.verdict.cut_mtu);
    if (cutter.count() == 0 || cutter.count() > max_pieces) {
        outcome.verdict.kind = VerdictKind::drop;
        outcome.verdict.reason = DropReason::too_big;
        counters_->drops[static_cast<std::size_t>(DropReason::too_big)].add(1);
        return;
    }
    std::vector<std::uint8_t> piece;
    for (std::uint32_t i = 0; i < cutter.count(); ++i) {
        piece.assign(cutter.length(i), 0);
        cutter.write(i, piece);
        add_sent(std::span(piece).first(cutter.length_present(i)), cutter.length(i), outcome);
    }
    counters_->pieces.add(cutter.count() - 1U);
}

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
    held_ = {};
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
