// SPDX-License-Identifier: Apache-2.0
// Shared-memory statistics: the writer of penstock-dp and the reader of everybody else. They work
// while the control plane is down, and no reader can hurt a worker (statistics_layout.hpp has the
// bytes).
//
// Thread rule: StatisticsWriter is created and destroyed by one thread; each WorkerStats belongs to
// its worker; the directory functions belong to the builder thread. A StatisticsReader belongs to
// one thread.
#pragma once

#include "dataplane/api/refusal.hpp"
#include "dataplane/core/counters.hpp"
#include "dataplane/core/desired_state.hpp"
#include "dataplane/core/identity.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace penstock {

inline constexpr const char* default_statistics_path = "/run/penstock/dataplane.stats";

class StatisticsWriter {
public:
    /// Makes the file beside `path` and renames it there (mode 0644), so that a reader finds the
    /// old file or the new one, never half of one; what an earlier process left is replaced. All of
    /// it is allocated and touched, so that workers take no page fault and a full file system is an
    /// error here, not a SIGBUS later. `lcores` has one entry a worker. REQUIRES: 1 <=
    /// lcores.size() <= max_workers.
    [[nodiscard]] static std::expected<std::unique_ptr<StatisticsWriter>, Refusal>
    create(const std::string& path, std::span<const std::uint32_t> lcores);

    StatisticsWriter(const StatisticsWriter&) = delete;
    StatisticsWriter& operator=(const StatisticsWriter&) = delete;

    /// Removes the file if it is still ours. Workers must have stopped.
    ~StatisticsWriter();

    [[nodiscard]] std::size_t worker_count() const;

    /// The blocks that worker `index` counts into. REQUIRES: index < worker_count().
    [[nodiscard]] WorkerStats worker(std::size_t index) const;

    /// Random, new for every create(), never 0: names this run of the dataplane everywhere.
    [[nodiscard]] std::uint64_t instance_id() const;
    [[nodiscard]] std::uint64_t started_unix_ns() const;
    [[nodiscard]] const std::string& path() const;

    /// Builder thread: this id now names this service. If it named another or none, its counts
    /// begin at 0.
    void set_service(ServiceId id, const ServiceKey& key, const std::string& name, bool desired);
    void set_backend(
        BackendId id,
        ServiceId service,
        const BackendKey& key,
        const std::string& name,
        bool desired
    );

    /// Builder thread: the id names nothing any more.
    void clear_service(ServiceId id);
    void clear_backend(BackendId id);

    /// One thread: every worker uses this generation.
    void set_generation(std::uint64_t generation);

    /// Any thread: flows[id] = Σ BackendCounters::flows over the workers. REQUIRES: size
    /// max_backends.
    void sum_backend_flows(std::span<std::uint64_t> flows) const;

private:
    struct Mapping;
    explicit StatisticsWriter(std::unique_ptr<Mapping> mapping);
    std::unique_ptr<Mapping> mapping_;
};

/// WorkerCounters as plain numbers: of one worker, or their sum.
struct WorkerTotals {
    std::uint64_t rx_packets = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_packets = 0;
    std::uint64_t tx_bytes = 0;
    std::uint64_t to_kernel_packets = 0;
    std::uint64_t replies = 0;
    std::uint64_t pieces = 0;
    std::uint64_t nat_flows = 0;
    std::uint64_t nat_resting = 0;
    std::uint64_t nat_capacity = 0;
    std::uint64_t nat_pool_fullest = 0;
    std::uint64_t nat_pool_ports = 0;
    std::uint64_t nat_replies = 0;
    std::uint64_t handed_over = 0;
    std::uint64_t flow_hits = 0;
    std::uint64_t flow_misses = 0;
    std::uint64_t flows_inserted = 0;
    std::uint64_t flows_expired = 0;
    std::uint64_t flows_unplaced = 0;
    std::uint64_t flows_withheld = 0;
    std::uint64_t flows = 0;
    std::uint64_t flow_capacity = 0;
    std::uint64_t polls = 0;
    std::uint64_t empty_polls = 0;
    std::uint64_t busy_ns = 0;
    std::uint64_t late_polls = 0;
    std::uint64_t dropped_packets = 0; ///< Σ of all reasons

    friend bool operator==(const WorkerTotals&, const WorkerTotals&) = default;
};

struct WorkerSample {
    std::uint32_t lcore = 0;
    std::uint64_t generation = 0;
    std::uint64_t heartbeat_age_ns = 0; ///< UINT64_MAX: never beat
    WorkerTotals counters;
};

struct DropCount {
    std::string reason; ///< as the running dataplane names it
    std::uint64_t packets = 0;
};

struct ServiceSample {
    ServiceId id;
    std::string name;
    ServiceKey key;
    bool desired = true; ///< false: removed, its flows still end
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint64_t new_flows = 0;
    std::uint64_t dropped_packets = 0;
};

struct BackendSample {
    BackendId id;
    ServiceId service;
    std::string name;
    BackendKey key;
    bool desired = true;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::uint64_t new_flows = 0;
    std::uint64_t flows = 0;
};

struct Statistics {
    std::uint64_t instance_id = 0;
    std::uint64_t pid = 0;
    std::uint64_t started_unix_ns = 0;
    std::uint64_t generation = 0;
    WorkerTotals totals;
    std::vector<WorkerSample> workers;   ///< by index
    std::vector<DropCount> drops;        ///< every reason, also those at 0
    std::vector<ServiceSample> services; ///< by id
    std::vector<BackendSample> backends; ///< by id
};

class StatisticsReader {
public:
    /// Maps `path` read-only after checking every size and offset in it. Missing, truncated,
    /// foreign, of another layout: an error that says so.
    [[nodiscard]] static std::expected<StatisticsReader, Refusal> open(const std::string& path);

    StatisticsReader(StatisticsReader&&) noexcept;
    StatisticsReader& operator=(StatisticsReader&&) noexcept;
    ~StatisticsReader();

    /// A sample: sums over the workers, less the baselines. Each number is exact, two numbers need
    /// not be of one instant. An error if the file was cut short or a directory record never comes
    /// to rest.
    [[nodiscard]] std::expected<Statistics, Refusal> read() const;

    /// True if `path` now names another file or none: the dataplane restarted or ended; open()
    /// again.
    [[nodiscard]] bool is_replaced() const;

private:
    struct Mapping;
    explicit StatisticsReader(std::unique_ptr<Mapping> mapping);
    std::unique_ptr<Mapping> mapping_;
};

} // namespace penstock
