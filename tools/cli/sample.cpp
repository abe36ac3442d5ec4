// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/sample.hpp"

#include "tools/cli/document.hpp"
#include "tools/cli/units.hpp"

#include <fmt/format.h>

namespace penstock::cli {
namespace {

WorkerSample read_counters(const Object& object) {
    WorkerSample sample;
    sample.rx_packets = object.count("rx_packets");
    sample.rx_bytes = object.count("rx_bytes");
    sample.tx_packets = object.count("tx_packets");
    sample.tx_bytes = object.count("tx_bytes");
    sample.to_kernel_packets = object.count("to_kernel_packets");
    sample.replies = object.count("replies");
    sample.dropped_packets = object.count("dropped_packets");
    sample.flow_hits = object.count("flow_hits");
    sample.flow_misses = object.count("flow_misses");
    sample.flows_unplaced = object.count("flows_unplaced");
    sample.flows_withheld = object.count("flows_withheld");
    sample.flows = object.count("flows");
    sample.flow_capacity = object.count("flow_capacity");
    sample.busy_ns = object.count("busy_ns");
    sample.late_polls = object.count("late_polls");
    return sample;
}

WorkerSample read_worker(const Object& object) {
    WorkerSample sample = read_counters(object);
    sample.worker = object.count("worker");
    sample.lcore = object.maybe_count("lcore");
    sample.heartbeat_age_ms = object.maybe_real("heartbeat_age_ms");
    sample.generation = object.count("generation");
    return sample;
}

TrafficSample read_traffic(const Object& object, bool of_backend) {
    return {
        .service = object.text("service"),
        .backend = of_backend ? object.text("backend") : std::string{},
        .packets = object.count("packets"),
        .bytes = object.count("bytes"),
        .new_flows = object.count("new_flows"),
        .flows = object.count("flows"),
        .dropped_packets = of_backend ? 0 : object.count("dropped_packets")
    };
}

} // namespace

std::expected<Sample, Failure> read_sample(const boost::json::value& stats) {
    Document document(stats);
    const Object root = document.root();
    Sample sample;
    const std::string time = root.text("time");
    sample.generation = root.count("generation");
    sample.totals = read_counters(root.object("totals"));
    for (const Object& worker : root.objects("workers"))
        sample.workers.push_back(read_worker(worker));
    for (const Object& service : root.objects("services"))
        sample.services.push_back(read_traffic(service, false));
    for (const Object& backend : root.objects("backends"))
        sample.backends.push_back(read_traffic(backend, true));
    if (const auto complete = document.check(); !complete)
        return std::unexpected(complete.error());
    const auto time_ms = parse_time(time);
    if (!time_ms) {
        return std::unexpected(Failure{
            .code = ExitCode::refused,
            .cause = fmt::format("cannot read the control plane's reply: '{}' is not a time", time),
            .remedy = "are penstock and penstock-cp of the same version? penstock --version"
        });
    }
    sample.time_ms = *time_ms;
    return sample;
}

std::optional<double> rate_of(std::uint64_t before, std::uint64_t now, std::int64_t elapsed_ms) {
    if (elapsed_ms <= 0 || now < before)
        return std::nullopt;
    return static_cast<double>(now - before) * 1000 / static_cast<double>(elapsed_ms);
}

} // namespace penstock::cli
