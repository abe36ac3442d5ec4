// SPDX-License-Identifier: Apache-2.0
// tools/bench latency: from the generator's enqueue to its dequeue, through a real worker.
//
// In RFC 8219's terms (7.2): one-way latency of tagged frames through the device under test, here a
// worker between two rings that stand for a NIC's queues; frames are tagged with the TSC at their
// enqueue, at a constant load. The limit, to which 50 % and 90 % refer, is the rate at which the
// worker loses nothing, measured first by offering as much as the ring takes.
//
// A virtual machine takes CPUs away. The generator knows when it lost its own (a gap between two of
// its rounds over 20 µs) and the worker counts its late polls; packets that were under way in a gap
// of the generator's are counted and shown apart, the others are "clean".
#include "bench/machine.hpp"
#include "bench/options.hpp"
#include "bench/packet_loop.hpp"
#include "bench/progress.hpp"
#include "bench/worker_rig.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <rte_pause.h>
#include <rte_ring.h>

namespace penstock::bench {
namespace {

constexpr const char* about = R"(tools/bench latency: enqueue to dequeue through a real worker.

Needs two CPUs: the generator's and the worker's. Loads: idle (1,000 packets a second), 50 % and
90 % of the measured limit; the worker spinning and adaptive. Packets that met a gap over 20 us are
counted and shown apart.

Examples:
  tools/bench latency --quick
  tools/bench latency --only spinning --json latency.json
)";

constexpr std::uint32_t flow_count = 1U << 16U;
constexpr double idle_pps = 1000;
constexpr double gap_us = 20;

struct Percentiles {
    double p50 = 0;
    double p99 = 0;
    double p999 = 0;
    double most = 0;
    std::size_t count = 0;
};

Percentiles percentiles(std::vector<double> values) {
    if (values.empty()) {
        return {};
    }
    std::ranges::sort(values);
    const auto at = [&](double share) {
        const auto index = static_cast<std::size_t>(share * static_cast<double>(values.size()));
        return values[std::min(index, values.size() - 1)];
    };
    return {at(0.5), at(0.99), at(0.999), values.back(), values.size()};
}

struct Row {
    std::string name;
    double pps = 0;
    Percentiles clean{};
    Percentiles all{};
    std::size_t met_gap = 0;
    std::size_t lost = 0; ///< sent and not seen within the time, or refused by the full ring
    std::uint64_t late_polls = 0;
};

/// Sends through one rig and listens behind it.
class Traffic {
public:
    explicit Traffic(WorkerRig& rig)
        : rig_(rig),
          generator_(forwarding_cases.front(), TcpHeader::ack, flow_count),
          ticks_per_us_(static_cast<double>(::rte_get_tsc_hz()) / 1e6) {}

    /// As many packets as the ring takes for `seconds`; returns packets received per second.
    double find_limit(double seconds) {
        run_for(seconds, 0);
        const double rate = static_cast<double>(received_) / seconds;
        settle();
        return rate;
    }

    Row measure(std::string name, double pps, double seconds) {
        Row row{.name = std::move(name), .pps = pps};
        const std::uint64_t late = rig_.counters().late_polls.read();
        run_for(seconds, pps);
        settle();
        row.late_polls = rig_.counters().late_polls.read() - late;
        row.met_gap = all_.size() - clean_.size();
        row.lost = sent_ - received_ + refused_;
        row.clean = percentiles(clean_);
        row.all = percentiles(all_);
        return row;
    }

private:
    // pps 0: as fast as can be.
    void run_for(double seconds, double pps) {
        all_.clear();
        clean_.clear();
        sent_ = received_ = refused_ = 0;
        const std::uint64_t begin = ::rte_rdtsc();
        const double period = pps > 0 ? ticks_per_us_ * 1e6 / pps : 0;
        const auto end = begin + static_cast<std::uint64_t>(seconds * 1e6 * ticks_per_us_);
        last_round_ = last_gap_ = begin;
        double due = static_cast<double>(begin);
        while (last_round_ < end) {
            note_gap();
            if (pps == 0) {
                send(last_round_);
            } else if (static_cast<double>(last_round_) >= due) {
                send(last_round_);
                due += period;
                // A stalled generator does not make up for what it did not send.
                due = std::max(due, static_cast<double>(last_round_) - period);
            }
            receive(pps > 0);
        }
    }

    void settle() {
        const auto end = ::rte_rdtsc() + static_cast<std::uint64_t>(20'000 * ticks_per_us_);
        while (::rte_rdtsc() < end && received_ < sent_) {
            note_gap();
            receive(true);
        }
    }

    void note_gap() {
        const std::uint64_t now = ::rte_rdtsc();
        if (static_cast<double>(now - last_round_) > gap_us * ticks_per_us_) {
            last_gap_ = now;
        }
        last_round_ = now;
    }

    void send(std::uint64_t /*now*/) {
        rte_mbuf* const mbuf = ::rte_pktmbuf_alloc(rig_.pool());
        if (mbuf == nullptr) {
            ++refused_;
            return;
        }
        generator_.write_next(
            reinterpret_cast<std::uint8_t*>(::rte_pktmbuf_append(mbuf, generator_.frame_bytes()))
        );
        // Behind the frame: no header that is put before it moves this.
        *tag_of(mbuf) = ::rte_rdtsc();
        if (::rte_ring_enqueue(rig_.in(), mbuf) != 0) {
            ::rte_pktmbuf_free(mbuf);
            ++refused_;
        } else {
            ++sent_;
        }
    }

    void receive(bool keep) {
        std::array<void*, max_burst> burst;
        const unsigned count =
            ::rte_ring_dequeue_burst(rig_.out(), burst.data(), max_burst, nullptr);
        const std::uint64_t now = ::rte_rdtsc();
        for (unsigned i = 0; i < count; ++i) {
            auto* const mbuf = static_cast<rte_mbuf*>(burst[i]);
            const std::uint64_t tag = *tag_of(mbuf);
            ::rte_pktmbuf_free(mbuf);
            if (keep) {
                const double latency_us = static_cast<double>(now - tag) / ticks_per_us_;
                all_.push_back(latency_us);
                if (tag > last_gap_) {
                    clean_.push_back(latency_us);
                }
            }
        }
        received_ += count;
    }

    static std::uint64_t* tag_of(rte_mbuf* mbuf) {
        constexpr std::size_t offset = 1024; // in a buffer of 2 KB
        return reinterpret_cast<std::uint64_t*>(
            static_cast<std::uint8_t*>(mbuf->buf_addr) + offset
        );
    }

    WorkerRig& rig_;
    Generator generator_;
    double ticks_per_us_;
    std::vector<double> all_;
    std::vector<double> clean_;
    std::uint64_t last_round_ = 0;
    std::uint64_t last_gap_ = 0; ///< end of the last one
    std::size_t sent_ = 0;
    std::size_t received_ = 0;
    std::size_t refused_ = 0;
};

std::vector<Row> measure_policy(const std::string& policy, bool is_adaptive, double seconds) {
    WorkerRig rig(forwarding_cases.front(), flow_count, 0, is_adaptive);
    Traffic traffic(rig);
    Progress progress;
    progress.say(policy + ", limit", 1, 4);
    const double limit = traffic.find_limit(seconds);
    std::vector<Row> rows;
    const std::array<std::pair<const char*, double>, 3> loads{
        {{"idle", idle_pps}, {"50", limit * 0.5}, {"90", limit * 0.9}}
    };
    for (const auto& [load, pps] : loads) {
        progress.say(
            fmt::format("{}, load {}", policy, load), 2 + static_cast<unsigned>(rows.size()), 4
        );
        rows.push_back(traffic.measure(fmt::format("{}_{}", policy, load), pps, seconds));
    }
    return rows;
}

boost::json::object to_json(const Percentiles& of) {
    return {
        {"p50_us", of.p50},
        {"p99_us", of.p99},
        {"p999_us", of.p999},
        {"max_us", of.most},
        {"packets", of.count},
    };
}

int run(int argc, char** argv) {
    const auto options = read_options(argc, argv, about, 2);
    if (!options) {
        return options.error();
    }
    const auto machine = start_eal(options->cpus);
    if (!machine) {
        fmt::print(stderr, "bench: {}\n", machine.error());
        return 1;
    }
    const double seconds = options->quick ? 1 : 5;
    std::vector<Row> rows;
    for (const auto& [policy, is_adaptive] : {std::pair{"spinning", false}, {"adaptive", true}}) {
        if (std::string(policy).contains(options->only)) {
            for (Row& row : measure_policy(policy, is_adaptive, seconds)) {
                rows.push_back(std::move(row));
            }
        }
    }
    fmt::print(
        "{}, {} CPUs, generator on CPU {}, worker on CPU {}, {:.0f} s a row; us, clean packets\n"
        "{:<14} {:>10} {:>8} {:>8} {:>8} {:>9} {:>10} {:>8} {:>10} {:>6}\n",
        machine->cpu,
        machine->cpus,
        options->cpus[0],
        options->cpus[1],
        seconds,
        "case",
        "packets/s",
        "p50",
        "p99",
        "p99.9",
        "max",
        "met a gap",
        "max all",
        "late polls",
        "lost"
    );
    boost::json::array json;
    for (const Row& row : rows) {
        fmt::print(
            "{:<14} {:>10.0f} {:>8.2f} {:>8.2f} {:>8.2f} {:>9.1f} {:>10} {:>8.0f} {:>10} {:>6}\n",
            row.name,
            row.pps,
            row.clean.p50,
            row.clean.p99,
            row.clean.p999,
            row.clean.most,
            row.met_gap,
            row.all.most,
            row.late_polls,
            row.lost
        );
        json.push_back(boost::json::object{
            {"case", row.name},
            {"offered_pps", row.pps},
            {"clean", to_json(row.clean)},
            {"all", to_json(row.all)},
            {"met_gap", row.met_gap},
            {"late_polls", row.late_polls},
            {"lost", row.lost},
        });
    }
    return write_rows(*options, json) ? 0 : 1;
}

} // namespace
} // namespace penstock::bench

int main(int argc, char** argv) {
    return penstock::bench::run(argc, argv);
}
