// SPDX-License-Identifier: Apache-2.0
// tools/bench pipeline: cycles per packet on a net_ring loop, of the loop alone (io), of exchanging
// the MAC addresses (macswap) and of Penstock, in every mode and family, at several numbers of
// flows.
//
// Every case runs the same loop (packet_loop.hpp), so added_cycles = case - macswap is what
// Penstock costs beyond the least that any forwarder does. Cases take turns, round by round, so
// that a slow moment of the machine meets them all; the minimum and the median of the rounds are
// reported.
#include "bench/machine.hpp"
#include "bench/options.hpp"
#include "bench/packet_loop.hpp"
#include "bench/progress.hpp"
#include "bench/ring_loop.hpp"
#include "bench/samples.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <fmt/format.h>
#include <optional>

namespace penstock::bench {
namespace {

constexpr const char* about = R"(tools/bench pipeline: cycles per packet on a net_ring loop.

Cases: io (the loop alone), macswap (the least any forwarder does), and for each mode
  MODE       packets of established flows
  MODE_new   SYNs of new flows, inserted into a table that holds its stated capacity
  MODE_miss  RSTs of unknown flows: they find no entry in that table and make none
  MODE_hash  packets of a service without flow entries (track = false): by hash alone
"added" is against macswap at as many flows.

Examples:
  tools/bench pipeline --quick
  tools/bench pipeline --only tcp4_ipip --json pipeline.json
)";

struct Plan {
    unsigned rounds = 30;
    std::uint64_t packets = 4'000'000; ///< per round and case
    std::vector<std::uint32_t> flows{1024, 131072, 1048576, 10'000'000};
};

constexpr Plan quick_plan() {
    return {.rounds = 20, .packets = 1'048'576, .flows = {1024, 131072, 1048576}};
}

// No table is smaller than a worker's default.
constexpr std::size_t least_capacity = std::size_t{1} << 20U;

struct Row {
    std::string name;
    std::uint32_t flows = 0;
    Samples cycles{};
    std::optional<std::size_t> table_bytes{}; ///< of cases with a flow table
    std::size_t table_flows = 0;              ///< entries in it while measuring
    std::size_t table_capacity = 0;           ///< what it is stated to hold
    std::uint64_t unplaced = 0;               ///< flows that found no room in any round
};

/// All rows at one number of flows; the first two are io and macswap.
using Group = std::vector<Row>;

// What the counters must say if the case measured what its name says.
bool check(bool holds, const std::string& name, const char* what) {
    if (!holds) {
        fmt::print(stderr, "bench: {} did not do what it should: {}\n", name, what);
    }
    return holds;
}

struct ModeRows {
    Row established;
    Row opening;
    Row miss;
    Row hash;
};

/// The four cases of one mode.
class ModeRun {
public:
    ModeRun(
        const ForwardingCase& forwarding, std::uint16_t port, std::uint32_t flows, const Plan& plan
    )
        : forwarding_(forwarding),
          port_(port),
          flows_(flows),
          plan_(plan),
          capacity_(std::max<std::size_t>(flows, least_capacity)),
          established_(forwarding, capacity_),
          full_(forwarding, capacity_),
          untracked_(forwarding, 1, Subject::Clock::passes, Tracking::none),
          ack_(forwarding, TcpHeader::ack, flows),
          rst_(forwarding, TcpHeader::rst, flows) {
        run_loop(port, ack_, flows, Penstock{established_, forwarded_}); // makes the flows
        full_.fill(capacity_);
        made_ = established_.counters().flow_misses.read();
        sent_ = forwarded_;
    }

    void run_round(ModeRows& rows, Row& macswap) {
        macswap.cycles.add(run_loop(port_, ack_, plan_.packets, Macswap{}));
        rows.established.cycles.add(run(ack_, established_, plan_.packets));
        rows.opening.cycles.add(open_flows());
        rows.miss.cycles.add(run(rst_, full_, plan_.packets));
        rows.hash.cycles.add(run(ack_, untracked_, plan_.packets));
    }

    /// Fills in what is known after the last round. False if a case was not what it claims to be.
    bool finish(ModeRows& rows) {
        for (Row* row : {&rows.established, &rows.opening, &rows.miss}) {
            Subject& subject = row == &rows.established ? established_ : full_;
            row->table_bytes = subject.table_bytes();
            row->table_flows = subject.table().size();
            row->table_capacity = capacity_;
            row->unplaced = subject.counters().flows_unplaced.read();
        }
        const WorkerCounters& hits = established_.counters();
        const WorkerCounters& misses = full_.counters();
        const WorkerCounters& hashes = untracked_.counters();
        return check(
                   hits.flow_misses.read() == made_, rows.established.name, "every packet hits"
               ) &&
               check(misses.flow_hits.read() == 0, rows.opening.name, "every packet opens") &&
               check(
                   misses.flows_inserted.read() == opened_, rows.opening.name, "every flow placed"
               ) &&
               check(hashes.flows_inserted.read() == 0, rows.hash.name, "no flow is made") &&
               check(forwarded_ == sent_, rows.miss.name, "every packet is forwarded");
    }

private:
    // REQUIRES: packets is a multiple of max_burst, so that the last burst does not go beyond.
    double run(Generator& generator, Subject& subject, std::uint64_t packets) {
        sent_ += packets;
        return run_loop(port_, generator, packets, Penstock{subject, forwarded_});
    }

    // New flows until a sixteenth above the stated capacity, then they are forgotten, untimed.
    double open_flows() {
        const std::uint64_t batch =
            std::min<std::uint64_t>(flows_, capacity_ / 16) / max_burst * max_burst;
        const std::uint64_t passes = std::max<std::uint64_t>(1, plan_.packets / batch / 4);
        double cycles = 0;
        for (std::uint64_t pass = 0; pass < passes; ++pass) {
            Generator syn(forwarding_, TcpHeader::syn, static_cast<std::uint32_t>(batch), next_);
            next_ = (next_ + static_cast<std::uint32_t>(batch)) & 0x3fffffffU;
            cycles += run(syn, full_, batch);
            opened_ += batch;
            full_.forget_flows();
        }
        return cycles / static_cast<double>(passes);
    }

    const ForwardingCase& forwarding_;
    std::uint16_t port_;
    std::uint32_t flows_;
    const Plan& plan_;
    std::size_t capacity_;
    Subject established_;
    Subject full_; ///< holds as many flows as it is stated to hold
    Subject untracked_;
    Generator ack_;
    Generator rst_;
    std::uint32_t next_ = 0;
    std::uint64_t made_ = 0;
    std::uint64_t opened_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t forwarded_ = 0;
};

bool measure_mode(
    const ForwardingCase& forwarding,
    std::uint16_t port,
    std::uint32_t flows,
    const Plan& plan,
    Group& group
) {
    const std::string name(forwarding.name);
    ModeRun mode(forwarding, port, flows, plan);
    Generator ack(forwarding, TcpHeader::ack, flows);
    Progress progress;
    ModeRows rows{
        .established = {.name = name, .flows = flows},
        .opening = {.name = name + "_new", .flows = flows},
        .miss = {.name = name + "_miss", .flows = flows},
        .hash = {.name = name + "_hash", .flows = flows},
    };
    for (unsigned round = 0; round < plan.rounds; ++round) {
        progress.say(fmt::format("{} at {} flows", name, flows), round + 1, plan.rounds);
        group[0].cycles.add(run_loop(port, ack, plan.packets, Io{}));
        mode.run_round(rows, group[1]);
    }
    const bool good = mode.finish(rows);
    group.insert(group.end(), {rows.established, rows.opening, rows.miss, rows.hash});
    return good;
}

void print(const Machine& machine, const std::vector<Group>& groups) {
    fmt::print(
        "{}, {} CPUs, TSC {:.2f} GHz, one core, net_ring loop, bursts of 32, {} rounds or more\n"
        "{:<16} {:>9} {:>11} {:>8} {:>10} {:>8} {:>8} {:>11} {:>9}\n",
        machine.cpu,
        machine.cpus,
        machine.tsc_ghz,
        groups.front().back().cycles.count(),
        "case",
        "flows",
        "cycles min",
        "median",
        "added min",
        "median",
        "ns min",
        "bytes/flow",
        "unplaced"
    );
    for (const Group& group : groups) {
        const Samples& macswap = group[1].cycles;
        for (const Row& row : group) {
            fmt::print(
                "{:<16} {:>9} {:>11.1f} {:>8.1f} {:>10.1f} {:>8.1f} {:>8.1f}",
                row.name,
                row.flows,
                row.cycles.minimum(),
                row.cycles.median(),
                row.cycles.minimum() - macswap.minimum(),
                row.cycles.median() - macswap.median(),
                row.cycles.minimum() / machine.tsc_ghz
            );
            if (row.table_bytes) {
                const auto bytes = static_cast<double>(*row.table_bytes);
                const auto flows = static_cast<double>(row.table_capacity);
                fmt::print(" {:>11.1f} {:>9}", bytes / flows, row.unplaced);
            }
            fmt::print("\n");
        }
    }
}

boost::json::array to_json(const Machine& machine, const std::vector<Group>& groups) {
    boost::json::array rows;
    for (const Group& group : groups) {
        const Samples& macswap = group[1].cycles;
        for (const Row& row : group) {
            boost::json::object object{
                {"case", row.name},
                {"flows", row.flows},
                {"cycles_min", row.cycles.minimum()},
                {"cycles_median", row.cycles.median()},
                {"added_cycles_min", row.cycles.minimum() - macswap.minimum()},
                {"added_cycles_median", row.cycles.median() - macswap.median()},
                {"ns_min", row.cycles.minimum() / machine.tsc_ghz},
                {"rounds", row.cycles.count()},
                {"cpu", machine.cpu},
                {"tsc_ghz", machine.tsc_ghz},
            };
            if (row.table_bytes) {
                object["table_bytes"] = *row.table_bytes;
                object["table_flows"] = row.table_flows;
                object["table_capacity"] = row.table_capacity;
                object["bytes_per_flow"] =
                    static_cast<double>(*row.table_bytes) / static_cast<double>(row.table_capacity);
                object["unplaced"] = row.unplaced;
            }
            rows.push_back(std::move(object));
        }
    }
    return rows;
}

int run(int argc, char** argv) {
    const auto options = read_options(argc, argv, about, 1);
    if (!options) {
        return options.error();
    }
    const Plan plan = options->quick ? quick_plan() : Plan{};
    const auto machine = start_eal(options->cpus);
    const auto loop = machine ? RingLoop::make(packets_in_loop) : std::unexpected(machine.error());
    if (!loop) {
        fmt::print(stderr, "bench: {}\n", loop.error());
        return 1;
    }
    std::vector<Group> groups;
    bool good = true;
    for (const std::uint32_t flows : plan.flows) {
        Group group{Row{.name = "io", .flows = flows}, Row{.name = "macswap", .flows = flows}};
        for (const ForwardingCase& forwarding : forwarding_cases) {
            if (std::string_view(forwarding.name).contains(options->only)) {
                good = measure_mode(forwarding, loop->port(), flows, plan, group) && good;
            }
        }
        if (group[0].cycles.count() == 0) {
            fmt::print(stderr, "bench: no case's name holds \"{}\"\n", options->only);
            return 2;
        }
        groups.push_back(std::move(group));
    }
    print(*machine, groups);
    return write_rows(*options, to_json(*machine, groups)) && good ? 0 : 1;
}

} // namespace
} // namespace penstock::bench

int main(int argc, char** argv) {
    return penstock::bench::run(argc, argv);
}
