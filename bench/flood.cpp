// SPDX-License-Identifier: Apache-2.0
// tools/bench flood: what a SYN flood does to established connections.
//
// One million flows are established; then the same loop as in pipeline.cpp carries their packets
// alone (calm), and mixed with four SYNs of flows that never come again for each of them (flood).
// An established packet must still be forwarded to the backend that it had, and cost at most a
// tenth more of the worker's time than in calm: that is what "throughput" means here, for the
// generator offers as much as the worker takes.
#include "bench/machine.hpp"
#include "bench/options.hpp"
#include "bench/packet_loop.hpp"
#include "bench/progress.hpp"
#include "bench/ring_loop.hpp"
#include "bench/samples.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace penstock::bench {
namespace {

constexpr const char* about = R"(tools/bench flood: established flows under a SYN flood.

80 % of the packets are SYNs of flows that are never seen again, 20 % belong to a million established
flows. Shown: established packets lost or moved to another backend (must be 0), the cycles that they
and the SYNs cost, and the entries the flood made.

Examples:
  tools/bench flood --quick
  tools/bench flood --json flood.json
)";

constexpr std::uint32_t flow_count = 1U << 20U;
constexpr std::uint32_t syns_a_packet = 4; // 80 %

/// Four SYNs of new flows, then one packet of an established one.
class FloodSource {
public:
    explicit FloodSource(const ForwardingCase& forwarding)
        : established_(forwarding, TcpHeader::ack, flow_count),
          syns_(forwarding, TcpHeader::syn, syn_flows, flow_count) {}

    [[nodiscard]] std::uint16_t frame_bytes() const { return established_.frame_bytes(); }

    void write_next(std::uint8_t* data) {
        if (++at_ % (syns_a_packet + 1) == 0) {
            established_.write_next(data);
        } else {
            syns_.write_next(data);
        }
    }

private:
    static constexpr std::uint32_t syn_flows = 1U << 30U; // none comes twice in a run
    Generator established_;
    Generator syns_;
    std::uint32_t at_ = 0;
};

/// Runs the subject and looks at every established packet's verdict.
class Watch {
public:
    explicit Watch(Subject& subject) : subject_(subject), backends_(flow_count, null_backend) {}

    void operator()(std::span<rte_mbuf*> burst) {
        std::array<Packet, max_burst> packets;
        std::array<Verdict, max_burst> verdicts;
        std::array<std::uint32_t, max_burst> flows;
        for (std::size_t i = 0; i < burst.size(); ++i) {
            auto* const data = rte_pktmbuf_mtod(burst[i], std::uint8_t*);
            packets[i] = {
                .data = data,
                .length = burst[i]->data_len,
                .total_length = burst[i]->pkt_len,
                .headroom = burst[i]->data_off,
                .rx_port = {0},
            };
            flows[i] = flow_of(data);
        }
        const auto begin = ::rte_rdtsc();
        subject_.process(
            std::span(packets).first(burst.size()), std::span(verdicts).first(burst.size())
        );
        cycles_ += ::rte_rdtsc() - begin;
        for (std::size_t i = 0; i < burst.size(); ++i) {
            if (flows[i] < flow_count) {
                judge(verdicts[i], backends_[flows[i]]);
            }
        }
    }

    [[nodiscard]] std::uint64_t lost() const { return lost_; }

    [[nodiscard]] std::uint64_t moved() const { return moved_; }

    [[nodiscard]] std::uint64_t take_cycles() { return std::exchange(cycles_, 0); }

private:
    // The number that the Generator made the packet from.
    static std::uint32_t flow_of(const std::uint8_t* data) {
        const std::uint8_t* const ip = data + sizeof(EthernetHeader);
        const auto& tcp = header_at<TcpHeader>(ip + sizeof(Ipv4Header));
        const std::uint32_t address = header_at<Ipv4Header>(ip).source.host() - 0x0a000000U;
        return (address << 8U) + (tcp.source_port.host() - 1024U);
    }

    void judge(const Verdict& verdict, BackendId& backend) {
        if (verdict.kind != VerdictKind::forward) {
            ++lost_;
        } else if (backend == null_backend) {
            backend = verdict.backend;
        } else if (verdict.backend != backend) {
            ++moved_;
        }
    }

    Subject& subject_;
    std::vector<BackendId> backends_;
    std::uint64_t lost_ = 0;
    std::uint64_t moved_ = 0;
    std::uint64_t cycles_ = 0;
};

struct Result {
    Samples calm{};  ///< cycles of core per established packet
    Samples flood{}; ///< cycles of core per packet of the mixture
    std::uint64_t lost = 0;
    std::uint64_t moved = 0;
    std::uint64_t entries_before = 0;
    std::uint64_t entries_after = 0;
    std::uint64_t unplaced = 0;
    std::uint64_t withheld = 0;
    std::uint64_t packets = 0;
};

Result measure(std::uint16_t port, unsigned rounds, std::uint64_t packets) {
    const ForwardingCase& forwarding = forwarding_cases.front();
    Subject subject(forwarding, flow_count, Subject::Clock::stands);
    Generator established(forwarding, TcpHeader::ack, flow_count);
    FloodSource mixture(forwarding);
    Watch watch(subject);
    Result result;
    Progress progress;
    run_loop(port, established, flow_count, std::ref(watch)); // makes the flows
    result.entries_before = subject.table().size();
    for (unsigned round = 0; round < rounds; ++round) {
        progress.say("calm and flood in turns", round + 1, rounds);
        (void)watch.take_cycles();
        run_loop(port, established, packets, std::ref(watch));
        const auto count = static_cast<double>(packets);
        result.calm.add(static_cast<double>(watch.take_cycles()) / count);
        run_loop(port, mixture, packets, std::ref(watch));
        result.flood.add(static_cast<double>(watch.take_cycles()) / count);
        result.packets += packets;
    }
    result.lost = watch.lost();
    result.moved = watch.moved();
    result.entries_after = subject.table().size();
    result.unplaced = subject.counters().flows_unplaced.read();
    result.withheld = subject.counters().flows_withheld.read();
    return result;
}

int run(int argc, char** argv) {
    const auto options = read_options(argc, argv, about, 1);
    if (!options) {
        return options.error();
    }
    const auto machine = start_eal(options->cpus);
    const auto loop = machine ? RingLoop::make(packets_in_loop) : std::unexpected(machine.error());
    if (!loop) {
        fmt::print(stderr, "bench: {}\n", loop.error());
        return 1;
    }
    const unsigned rounds = 20;
    const std::uint64_t packets = options->quick ? 1'000'000 : 4'000'000;
    const Result result = measure(loop->port(), rounds, packets);
    // Of equal offers of time, how many packets a worker handles in the flood.
    const double rate = result.calm.minimum() / result.flood.minimum();
    const double median_rate = result.calm.median() / result.flood.median();
    fmt::print(
        "{}, TSC {:.2f} GHz, {} flows established, flood of {} % SYNs, {} rounds\n"
        "calm:  {:.1f} cycles a packet in core (median {:.1f})\n"
        "flood: {:.1f} cycles a packet in core (median {:.1f}), so {:.1f} % of the packet rate in "
        "calm\n"
        "established packets lost {}, moved to another backend {}; entries {} -> {}, unplaced {}, "
        "withheld {}\n",
        machine->cpu,
        machine->tsc_ghz,
        result.entries_before,
        100 * syns_a_packet / (syns_a_packet + 1),
        rounds,
        result.calm.minimum(),
        result.calm.median(),
        result.flood.minimum(),
        result.flood.median(),
        100 * rate,
        result.lost,
        result.moved,
        result.entries_before,
        result.entries_after,
        result.unplaced,
        result.withheld
    );
    const boost::json::array rows{boost::json::object{
        {"case", "flood"},
        {"flows", flow_count},
        {"syn_share", 0.8},
        {"packets", result.packets},
        {"calm_cycles_min", result.calm.minimum()},
        {"calm_cycles_median", result.calm.median()},
        {"flood_cycles_min", result.flood.minimum()},
        {"flood_cycles_median", result.flood.median()},
        {"packet_rate_of_calm", rate},
        {"packet_rate_of_calm_median", median_rate},
        {"established_lost", result.lost},
        {"established_moved", result.moved},
        {"entries_before", result.entries_before},
        {"entries_after", result.entries_after},
        {"unplaced", result.unplaced},
        {"withheld", result.withheld},
    }};
    const bool good = result.lost == 0 && result.moved == 0;
    return write_rows(*options, rows) && good ? 0 : 1;
}

} // namespace
} // namespace penstock::bench

int main(int argc, char** argv) {
    return penstock::bench::run(argc, argv);
}
