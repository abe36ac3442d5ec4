// SPDX-License-Identifier: Apache-2.0
// Repeated measurements of one thing.
//
// Thread rule: one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace penstock::bench {

class Samples {
public:
    void add(double value) { values_.push_back(value); }

    [[nodiscard]] std::size_t count() const { return values_.size(); }

    // REQUIRES for each of these: count() > 0.
    [[nodiscard]] double minimum() const { return *std::ranges::min_element(values_); }

    [[nodiscard]] double maximum() const { return *std::ranges::max_element(values_); }

    [[nodiscard]] double median() const {
        std::vector<double> sorted = values_;
        std::ranges::sort(sorted);
        const std::size_t middle = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

private:
    std::vector<double> values_;
};

} // namespace penstock::bench
