// SPDX-License-Identifier: Apache-2.0
// The figures of a benchmark: a table for people, rows for programs.
//
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <vector>

namespace penstock::bench {

/// What was measured on.
struct Machine {
    std::string cpu;
    double tsc_ghz = 0;
    bool hugepages = false;
};

/// Initialises EAL on one CPU, with hugepages if the kernel has free ones. Returns what the machine
/// is, or why it did not start.
[[nodiscard]] std::expected<Machine, std::string> start_eal(unsigned core);

/// Samples of several cases at one number of flows.
class Rows {
public:
    Rows(std::uint32_t flows, std::vector<std::string> cases)
        : flows_(flows), cases_(std::move(cases)) {}

    void add(const std::string& name, double cycles) { samples_[name].push_back(cycles); }

    [[nodiscard]] std::uint32_t flows() const { return flows_; }

    [[nodiscard]] const std::vector<std::string>& cases() const { return cases_; }

    [[nodiscard]] double minimum(const std::string& name) const;
    [[nodiscard]] double median(const std::string& name) const;

    [[nodiscard]] std::size_t rounds() const { return samples_.begin()->second.size(); }

private:
    std::uint32_t flows_;
    std::vector<std::string> cases_;
    std::map<std::string, std::vector<double>> samples_;
};

class Report {
public:
    explicit Report(Machine machine) : machine_(std::move(machine)) {}

    void add(Rows rows) { rows_.push_back(std::move(rows)); }

    /// A table on standard output. `added` is relative to the case "macswap" at as many flows.
    void print() const;

    /// One array of {case, flows, cycles_min, cycles_median, added_cycles_min, added_cycles_median,
    /// ns_min}. False if the file cannot be written; the reason is on standard error.
    [[nodiscard]] bool write_json(const std::string& path) const;

private:
    Machine machine_;
    std::vector<Rows> rows_;
};

} // namespace penstock::bench
