// SPDX-License-Identifier: Apache-2.0
// penstock stats: counters since the start of penstock-dp, or rates between two readings.
#include "tools/cli/arguments.hpp"
#include "tools/cli/control_client.hpp"
#include "tools/cli/facts.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"
#include "tools/cli/sample.hpp"
#include "tools/cli/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace penstock::cli {
namespace {

// A worker that has not reported for this long is stuck, not only unlucky with its CPU.
constexpr double heartbeat_late_ms = 1000;

// Formats a counter as it stands, or as a rate if there is an earlier reading.
class Amounts {
public:
    explicit Amounts(std::optional<std::int64_t> elapsed_ms) : elapsed_ms_(elapsed_ms) {}

    [[nodiscard]] bool are_rates() const { return elapsed_ms_.has_value(); }

    /// In a table; empty if there is nothing to say.
    [[nodiscard]] std::string count(std::uint64_t before, std::uint64_t now) const {
        if (!elapsed_ms_)
            return format_count(now);
        const auto rate = rate_of(before, now, *elapsed_ms_);
        return rate ? format_rate(*rate) : std::string{};
    }

    /// In a sentence.
    [[nodiscard]] std::string packets(std::uint64_t before, std::uint64_t now) const {
        if (!elapsed_ms_)
            return format_plural(now, "packet", "packets");
        const auto rate = rate_of(before, now, *elapsed_ms_);
        return rate ? format_rate(*rate, "packets") : "- packets/s";
    }

    [[nodiscard]] std::string bytes(std::uint64_t before, std::uint64_t now) const {
        if (!elapsed_ms_)
            return format_bytes(now);
        const auto rate = rate_of(before, now, *elapsed_ms_);
        return rate ? format_bit_rate(*rate) : std::string{};
    }

    /// The part of the time, which only two readings tell.
    [[nodiscard]] std::string busy(std::uint64_t before_ns, std::uint64_t now_ns) const {
        const auto rate = elapsed_ms_ ? rate_of(before_ns, now_ns, *elapsed_ms_) : std::nullopt;
        return rate ? format_ratio(*rate / 1e9) : std::string{};
    }

private:
    std::optional<std::int64_t> elapsed_ms_;
};

Facts describe_totals(const WorkerSample& before, const WorkerSample& now, const Amounts& amounts) {
    Facts facts;
    const auto packets_of = [&](std::uint64_t WorkerSample::* member) {
        return amounts.packets(before.*member, now.*member);
    };
    const auto bytes_of = [&](std::uint64_t WorkerSample::* member) {
        const std::string text = amounts.bytes(before.*member, now.*member);
        return text.empty() ? "-" : text;
    };
    facts.add(
        "received",
        fmt::format(
            "{}, {}", packets_of(&WorkerSample::rx_packets), bytes_of(&WorkerSample::rx_bytes)
        )
    );
    facts.add(
        "sent",
        fmt::format(
            "{}, {}", packets_of(&WorkerSample::tx_packets), bytes_of(&WorkerSample::tx_bytes)
        )
    );
    facts.add(
        "answered", packets_of(&WorkerSample::replies) + " (ARP and echo for VIPs; part of sent)"
    );
    facts.add("to the kernel", packets_of(&WorkerSample::to_kernel_packets));
    facts.add("dropped", packets_of(&WorkerSample::dropped_packets) + " (why: penstock drops)");
    facts.add(
        "by flow table",
        fmt::format(
            "{} hit, {} missed",
            packets_of(&WorkerSample::flow_hits),
            packets_of(&WorkerSample::flow_misses)
        )
    );
    facts.add(
        "flows",
        fmt::format("{} of at most {}", format_count(now.flows), format_count(now.flow_capacity)),
        now.flows_unplaced > 0 ? Colour::yellow : Colour::none
    );
    if (now.flows_unplaced > 0)
        facts.add(
            "no room for",
            fmt::format("{} flows, forwarded by hash alone", format_count(now.flows_unplaced)),
            Colour::yellow
        );
    if (now.flows_withheld > 0)
        facts.add(
            "SYN flood",
            fmt::format(
                "{} SYNs made no flow entry, forwarded by hash alone",
                format_count(now.flows_withheld)
            ),
            Colour::yellow
        );
    return facts;
}

Table make_worker_table(const Sample& before, const Sample& now, const Amounts& amounts) {
    const Align right = Align::right;
    Table table({
        {"WORKER", right},
        {"LCORE", right},
        {"RX", right},
        {"TX", right},
        {"TO KERNEL", right},
        {"DROPPED", right},
        {"FLOWS", right},
        {"BUSY", right},
        {"LATE POLLS", right},
        {"GENERATION", right},
        {"HEARTBEAT", right},
    });
    for (const WorkerSample& worker : now.workers) {
        const auto found = std::ranges::find(before.workers, worker.worker, &WorkerSample::worker);
        const WorkerSample earlier = found == before.workers.end() ? WorkerSample{} : *found;
        const bool late = worker.heartbeat_age_ms && *worker.heartbeat_age_ms > heartbeat_late_ms;
        table.add({
            fmt::format("{}", worker.worker),
            worker.lcore ? fmt::format("{}", *worker.lcore) : "",
            amounts.count(earlier.rx_packets, worker.rx_packets),
            amounts.count(earlier.tx_packets, worker.tx_packets),
            amounts.count(earlier.to_kernel_packets, worker.to_kernel_packets),
            amounts.count(earlier.dropped_packets, worker.dropped_packets),
            format_count(worker.flows),
            amounts.busy(earlier.busy_ns, worker.busy_ns),
            amounts.count(earlier.late_polls, worker.late_polls),
            fmt::format("{}", worker.generation),
            Cell(
                worker.heartbeat_age_ms
                    ? format_duration(static_cast<std::int64_t>(*worker.heartbeat_age_ms)) + " ago"
                    : "",
                late ? Colour::red : Colour::none
            ),
        });
    }
    return table;
}

Table make_traffic_table(
    const std::vector<TrafficSample>& before,
    const std::vector<TrafficSample>& now,
    const Amounts& amounts,
    bool of_backends
) {
    const Align right = Align::right;
    std::vector<Table::Column> columns{{"SERVICE"}};
    if (of_backends)
        columns.push_back({"BACKEND"});
    columns.insert(
        columns.end(),
        {{"PACKETS", right}, {"BYTES", right}, {"NEW FLOWS", right}, {"FLOWS", right}}
    );
    if (amounts.are_rates())
        columns[columns.size() - 3].name = "BITS";
    if (!of_backends)
        columns.push_back({"DROPPED", right});
    Table table(std::move(columns));
    for (const TrafficSample& entry : now) {
        const auto found = std::ranges::find_if(before, [&](const TrafficSample& other) {
            return other.service == entry.service && other.backend == entry.backend;
        });
        const TrafficSample earlier = found == before.end() ? TrafficSample{} : *found;
        std::vector<Cell> cells{entry.service};
        if (of_backends)
            cells.emplace_back(entry.backend);
        cells.emplace_back(amounts.count(earlier.packets, entry.packets));
        cells.emplace_back(amounts.bytes(earlier.bytes, entry.bytes));
        cells.emplace_back(amounts.count(earlier.new_flows, entry.new_flows));
        cells.emplace_back(format_count(entry.flows));
        if (!of_backends)
            cells.emplace_back(amounts.count(earlier.dropped_packets, entry.dropped_packets));
        table.add(std::move(cells));
    }
    return table;
}

void print_sample(
    const Sample& before,
    const Sample& now,
    const Amounts& amounts,
    const Invocation& invocation,
    Output& output
) {
    output.print(describe_totals(before.totals, now.totals, amounts).render(output));
    output.print_line("");
    output.print_table(make_worker_table(before, now, amounts), invocation.header);
    output.print_line("");
    output.print_table(
        make_traffic_table(before.services, now.services, amounts, false), invocation.header
    );
    output.print_line("");
    output.print_table(
        make_traffic_table(before.backends, now.backends, amounts, true), invocation.header
    );
    output.flush();
}

// A report every interval, each against the reading before it.
RunResult
watch(const Invocation& invocation, Output& output, ControlClient& client, Sample before) {
    const std::chrono::duration<double> interval(*invocation.seconds("interval"));
    const auto count = invocation.count("count");
    for (std::uint64_t reports = 0; (!count || reports < *count) && !output.broken(); ++reports) {
        std::this_thread::sleep_for(interval);
        const auto reply = client.get("/v1/stats");
        if (!reply)
            return std::unexpected(reply.error());
        auto now = read_sample(*reply);
        if (!now)
            return std::unexpected(now.error());
        if (invocation.json) {
            output.print_json(*reply);
            continue;
        }
        if (reports > 0)
            output.print_line("");
        print_sample(before, *now, Amounts(now->time_ms - before.time_ms), invocation, output);
        before = std::move(*now);
    }
    return ExitCode::ok;
}

} // namespace

RunResult run_stats(const Invocation& invocation, Output& output) {
    if (invocation.has("count") && !invocation.has("interval")) {
        return std::unexpected(Failure{
            .code = ExitCode::usage,
            .cause = "--count needs --interval",
            .remedy = "for example: penstock stats --interval 2 --count 5"
        });
    }
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    const auto reply = client.get("/v1/stats");
    if (!reply)
        return std::unexpected(reply.error());
    const bool watching = invocation.has("interval");
    if (invocation.json && !watching) {
        output.print_json(*reply);
        return ExitCode::ok;
    }
    auto sample = read_sample(*reply);
    if (!sample)
        return std::unexpected(sample.error());
    if (watching)
        return watch(invocation, output, client, std::move(*sample));
    print_sample({}, *sample, Amounts(std::nullopt), invocation, output);
    return ExitCode::ok;
}

} // namespace penstock::cli
