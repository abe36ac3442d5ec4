// SPDX-License-Identifier: Apache-2.0
// tools/bench scale: does a second worker cost the first one anything?
//
// Each worker runs the loop of pipeline.cpp on a CPU of its own, with its own port, flow table and
// counters; snapshot and next hops are one for both, as in penstock-dp. Rounds of one worker and of
// two take turns. Nothing shared is written on the way of a packet, so the cycles per packet must
// be the same; how many packets two CPUs handle together is then the machine's affair.
#include "bench/machine.hpp"
#include "bench/options.hpp"
#include "bench/packet_loop.hpp"
#include "bench/progress.hpp"
#include "bench/ring_loop.hpp"
#include "bench/samples.hpp"

#include <atomic>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <memory>
#include <rte_launch.h>

namespace penstock::bench {
namespace {

constexpr const char* about = R"(tools/bench scale: cycles per packet with one and with two workers.

Needs two CPUs. On a machine whose two CPUs are shared with others, or are two threads of one core,
the sum says as much about the machine as about Penstock.

Examples:
  tools/bench scale --quick
  tools/bench scale --cpus 2,3 --json scale.json
)";

constexpr std::uint32_t flow_count = 1U << 20U;

/// One worker's own things, and what it is told to do.
struct Lane {
    Lane(std::uint16_t ring_port, std::uint32_t first_flow)
        : port(ring_port),
          subject(forwarding_cases.front(), flow_count),
          generator(forwarding_cases.front(), TcpHeader::ack, flow_count, first_flow) {}

    std::uint16_t port;
    Subject subject;
    Generator generator;
    std::uint64_t packets = 0;
    std::uint64_t forwarded = 0;
    double cycles = 0;
    std::atomic<int>* waiting = nullptr; ///< lanes that are not ready yet
};

// On the lane's lcore: begins when all lanes are ready.
int run_lane(void* argument) {
    Lane& lane = *static_cast<Lane*>(argument);
    lane.waiting->fetch_sub(1);
    while (lane.waiting->load() > 0) {
        ::rte_pause();
    }
    lane.cycles =
        run_loop(lane.port, lane.generator, lane.packets, Penstock{lane.subject, lane.forwarded});
    return 0;
}

// The first `count` lanes at once: each one's cycles per packet are in it afterwards. Returns
// packets per TSC cycle of all together.
double run_together(std::span<const std::unique_ptr<Lane>> lanes, std::uint64_t packets) {
    std::atomic<int> waiting{static_cast<int>(lanes.size())};
    for (const auto& lane : lanes) {
        lane->packets = packets;
        lane->waiting = &waiting;
    }
    for (unsigned lcore = 1; lcore < lanes.size(); ++lcore) {
        (void)::rte_eal_remote_launch(run_lane, lanes[lcore].get(), lcore);
    }
    (void)run_lane(lanes[0].get());
    double rate = 0;
    for (unsigned lcore = 0; lcore < lanes.size(); ++lcore) {
        if (lcore > 0) {
            (void)::rte_eal_wait_lcore(lcore);
        }
        rate += 1 / lanes[lcore]->cycles;
    }
    return rate;
}

int run(int argc, char** argv) {
    const auto options = read_options(argc, argv, about, 2);
    if (!options) {
        return options.error();
    }
    const auto machine = start_eal(options->cpus);
    const auto first =
        machine ? RingLoop::make(packets_in_loop, 0) : std::unexpected(machine.error());
    const auto second = first ? RingLoop::make(packets_in_loop, 1) : std::unexpected(first.error());
    if (!second) {
        fmt::print(stderr, "bench: {}\n", second.error());
        return 1;
    }
    std::vector<std::unique_ptr<Lane>> lanes;
    lanes.push_back(std::make_unique<Lane>(first->port(), 0U));
    lanes.push_back(std::make_unique<Lane>(second->port(), flow_count));
    constexpr unsigned rounds = 20;
    const std::uint64_t packets = options->quick ? 1U << 20U : 1U << 22U;
    Samples alone;
    Samples together;
    Samples speedups;
    Progress progress;
    run_together(lanes, flow_count); // makes the flows
    for (unsigned round = 0; round < rounds; ++round) {
        progress.say("one worker and two in turns", round + 1, rounds);
        const double one = run_together(std::span(lanes).first(1), packets);
        alone.add(lanes[0]->cycles);
        const double two = run_together(lanes, packets);
        together.add((lanes[0]->cycles + lanes[1]->cycles) / 2);
        speedups.add(two / one);
    }
    fmt::print(
        "{}, {} CPUs, TSC {:.2f} GHz, CPUs {} and {}, {} flows a worker, {} rounds\n"
        "one worker:  {:.1f} cycles a packet (median {:.1f})\n"
        "two workers: {:.1f} cycles a packet each (median {:.1f})\n"
        "together {:.2f} times one worker (median of rounds; best {:.2f})\n",
        machine->cpu,
        machine->cpus,
        machine->tsc_ghz,
        options->cpus[0],
        options->cpus[1],
        flow_count,
        rounds,
        alone.minimum(),
        alone.median(),
        together.minimum(),
        together.median(),
        speedups.median(),
        speedups.maximum()
    );
    const boost::json::array rows{boost::json::object{
        {"case", "scale"},
        {"flows", flow_count},
        {"one_cycles_min", alone.minimum()},
        {"one_cycles_median", alone.median()},
        {"two_cycles_min", together.minimum()},
        {"two_cycles_median", together.median()},
        {"speedup_median", speedups.median()},
        {"speedup_best", speedups.maximum()},
    }};
    return write_rows(*options, rows) ? 0 : 1;
}

} // namespace
} // namespace penstock::bench

int main(int argc, char** argv) {
    return penstock::bench::run(argc, argv);
}
