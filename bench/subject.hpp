// SPDX-License-Identifier: Apache-2.0
// What is measured: one worker's flow table, counters and snapshot, without a loop around them.
//
// One service of the case's family and mode on port 80 with 100 backends, all of them up, their
// next hops known.
//
// Thread rule: one thread.
#pragma once

#include "bench/forwarding_case.hpp"
#include "bench/table_memory.hpp"
#include "dataplane/core/compile.hpp"
#include "dataplane/core/offline_worker.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace penstock::bench {

inline constexpr std::size_t backend_count = 100;

/// Whether the service makes flow entries (`track`).
enum class Tracking : std::uint8_t { flows, none };

/// The declaration that every benchmark compiles for a case.
[[nodiscard]] DesiredState
declare(const ForwardingCase& forwarding, Tracking tracking = Tracking::flows);

/// Compiles it; a refusal is a defect of the benchmark and aborts.
[[nodiscard]] std::shared_ptr<const Snapshot>
compile_or_abort(const DesiredState& desired, IdRegistry& ids);

/// Gives every target of the snapshot one next hop.
void resolve_targets(const Snapshot& snapshot, NextHopTable& next_hops);

class Subject {
public:
    /// A table for `flow_capacity` flows at its stated load. With Clock::passes so much time passes
    /// that a worker sees no flood (flood_guard.hpp) in new flows at full speed.
    enum class Clock : std::uint8_t { passes, stands };
    Subject(
        const ForwardingCase& forwarding,
        std::size_t flow_capacity,
        Clock clock = Clock::passes,
        Tracking tracking = Tracking::flows
    );

    Subject(const Subject&) = delete;
    Subject& operator=(const Subject&) = delete;

    void process(std::span<Packet> packets, std::span<Verdict> verdicts) {
        if (clock_ == Clock::passes && ++bursts_ % bursts_a_tick == 0) {
            now_.ticks = (now_.ticks + 1) & CoarseTime::mask;
        }
        process_burst(worker_.context(), snapshot_.get(), now_, packets, verdicts);
    }

    /// Room for a burst that process() may be given: like a worker's, made once.
    [[nodiscard]] std::span<Packet> packets(std::size_t count) {
        return std::span(packets_).first(count);
    }

    [[nodiscard]] std::span<Verdict> verdicts(std::size_t count) {
        return std::span(verdicts_).first(count);
    }

    /// Puts entries of flows that nobody sends into the table until it holds `entries`.
    void fill(std::size_t entries);

    /// Forgets the flows made by process(), not those of fill().
    void forget_flows();

    [[nodiscard]] const WorkerCounters& counters() const { return worker_.counters(); }

    [[nodiscard]] std::size_t table_bytes() const { return memory_.bytes().size(); }

    [[nodiscard]] const FlowTable& table() { return worker_.flows(); }

private:
    // Fills are older than what process() makes, so that the two can be told apart: by their tick,
    // which must not come round again.
    static constexpr CoarseTime filled_at = CoarseTime::from_seconds(50);
    static constexpr CoarseTime begun_at = CoarseTime::from_seconds(100);
    static constexpr std::uint64_t bursts_a_tick = 4096;
    static_assert(bursts_a_tick * max_burst < FloodGuard::enter_syns);

    const Clock clock_;
    CoarseTime now_ = begun_at;
    std::uint64_t bursts_ = 0;
    std::array<Packet, max_burst> packets_;
    std::array<Verdict, max_burst> verdicts_;
    TableMemory memory_;
    std::array<PortFacts, 1> ports_{PortFacts{.mac = {{2, 0, 0, 0, 0, 9}}, .mtu = 1500}};
    OfflineWorker worker_;
    IdRegistry ids_;
    std::shared_ptr<const Snapshot> snapshot_;
};

} // namespace penstock::bench
