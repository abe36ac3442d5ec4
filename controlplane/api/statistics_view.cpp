// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/views.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <limits>
#include <map>

namespace penstock {

namespace json = boost::json;

namespace {

json::object make_totals(const WorkerTotals& totals) {
    return {
        {"rx_packets", totals.rx_packets},
        {"rx_bytes", totals.rx_bytes},
        {"tx_packets", totals.tx_packets},
        {"tx_bytes", totals.tx_bytes},
        {"to_kernel_packets", totals.to_kernel_packets},
        {"replies", totals.replies},
        {"pieces", totals.pieces},
        {"nat_flows", totals.nat_flows},
        {"nat_resting", totals.nat_resting},
        {"nat_capacity", totals.nat_capacity},
        {"nat_pool_fullest", totals.nat_pool_fullest},
        {"nat_pool_ports", totals.nat_pool_ports},
        {"nat_replies", totals.nat_replies},
        {"handed_over", totals.handed_over},
        {"dropped_packets", totals.dropped_packets},
        {"flow_hits", totals.flow_hits},
        {"flow_misses", totals.flow_misses},
        {"flows_inserted", totals.flows_inserted},
        {"flows_expired", totals.flows_expired},
        {"flows_unplaced", totals.flows_unplaced},
        {"flows_withheld", totals.flows_withheld},
        {"flows", totals.flows},
        {"flow_capacity", totals.flow_capacity},
        {"polls", totals.polls},
        {"empty_polls", totals.empty_polls},
        {"busy_ns", totals.busy_ns},
        {"late_polls", totals.late_polls},
    };
}

json::array make_workers(const Statistics& statistics) {
    json::array workers;
    for (std::size_t i = 0; i < statistics.workers.size(); ++i) {
        const WorkerSample& worker = statistics.workers[i];
        json::object object{
            {"worker", i},
            {"lcore", worker.lcore},
            {"generation", worker.generation},
            {"heartbeat_age_ms", nullptr},
        };
        if (worker.heartbeat_age_ns != std::numeric_limits<std::uint64_t>::max()) {
            object["heartbeat_age_ms"] = static_cast<double>(worker.heartbeat_age_ns) / 1e6;
        }
        for (auto& member : make_totals(worker.counters)) {
            object[member.key()] = std::move(member.value());
        }
        workers.push_back(std::move(object));
    }
    return workers;
}

} // namespace

json::object make_stats_view(const Statistics& statistics) {
    std::map<std::uint16_t, std::uint64_t> flows;
    for (const BackendSample& backend : statistics.backends) {
        flows[backend.service.value] += backend.flows;
    }
    std::map<std::uint16_t, std::string_view> names;
    json::array services;
    for (const ServiceSample& service : statistics.services) {
        names[service.id.value] = service.name;
        services.push_back(json::object{
            {"service", service.name},
            {"desired", service.desired},
            {"packets", service.packets},
            {"bytes", service.bytes},
            {"new_flows", service.new_flows},
            {"dropped_packets", service.dropped_packets},
            {"flows", flows[service.id.value]},
        });
    }
    json::array backends;
    for (const BackendSample& backend : statistics.backends) {
        backends.push_back(json::object{
            {"service", names[backend.service.value]},
            {"backend", backend.name},
            {"desired", backend.desired},
            {"packets", backend.packets},
            {"bytes", backend.bytes},
            {"new_flows", backend.new_flows},
            {"flows", backend.flows},
        });
    }
    return {
        {"time", format_rfc3339(std::chrono::system_clock::now())},
        {"generation", statistics.generation},
        {"pid", statistics.pid},
        {"totals", make_totals(statistics.totals)},
        {"workers", make_workers(statistics)},
        {"services", std::move(services)},
        {"backends", std::move(backends)},
    };
}

json::object make_drops_view(const Statistics& statistics) {
    std::uint64_t total = 0;
    json::array drops;
    for (const DropCount& drop : statistics.drops) {
        total += drop.packets;
        // The dataplane may be of another version: its names are the truth, our text is the help.
        json::value text = nullptr;
        for (std::size_t i = 0; i < drop_reason_count; ++i) {
            const auto reason = static_cast<DropReason>(i);
            if (drop_reason_name(reason) == drop.reason) {
                text = drop_reason_text(reason);
            }
        }
        drops.push_back(json::object{
            {"reason", drop.reason}, {"packets", drop.packets}, {"text", std::move(text)}
        });
    }
    return {{"total", total}, {"drops", std::move(drops)}};
}

} // namespace penstock
