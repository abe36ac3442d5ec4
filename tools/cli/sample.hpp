// SPDX-License-Identifier: Apache-2.0
// One reading of GET /v1/stats as values, and what two of them say about the time between.
//
// Thread rule: plain values.
#pragma once

#include "tools/cli/failure.hpp"

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace penstock::cli {

struct WorkerSample {
    std::uint64_t worker = 0; ///< of the totals: 0, meaningless
    std::optional<std::uint64_t> lcore;
    std::optional<double> heartbeat_age_ms;
    std::uint64_t generation = 0;
    std::uint64_t rx_packets = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_packets = 0;
    std::uint64_t tx_bytes = 0;
    std::uint64_t to_kernel_packets = 0;
    std::uint64_t replies = 0;
    std::uint64_t dropped_packets = 0;
    std::uint64_t flow_hits = 0;
    std::uint64_t flow_misses = 0;
    std::uint64_t flows_unplaced = 0;
    std::uint64_t flows_withheld = 0;
    std::uint64_t flows = 0;
    std::uint64_t flow_capacity = 0;
    std::uint64_t busy_ns = 0;
    std::uint64_t late_polls = 0;
};

/// Of a service, or of a backend if `backend` is not empty.
struct TrafficSample {
    std::string service;
    std::string backend;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint64_t new_flows = 0;
    std::uint64_t flows = 0;
    std::uint64_t dropped_packets = 0; ///< of services only
};

struct Sample {
    std::int64_t time_ms = 0;
    std::uint64_t generation = 0;
    WorkerSample totals;
    std::vector<WorkerSample> workers;
    std::vector<TrafficSample> services;
    std::vector<TrafficSample> backends;
};

[[nodiscard]] std::expected<Sample, Failure> read_sample(const boost::json::value& stats);

/// Per second between two readings of a counter; nothing if no time has passed or the counter went
/// back (penstock-dp has restarted between the two).
[[nodiscard]] std::optional<double>
rate_of(std::uint64_t before, std::uint64_t now, std::int64_t elapsed_ms);

} // namespace penstock::cli
