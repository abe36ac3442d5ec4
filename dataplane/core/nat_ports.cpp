// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/nat_ports.hpp"

#include <algorithm>

namespace penstock {

PortShare port_share(std::size_t worker, std::size_t workers) {
    // The smallest port offset whose owner is `worker`, and that of the next one.
    const auto begin_of = [workers](std::size_t which) {
        return ((which * nat_port_count) + workers - 1) / workers;
    };
    const std::size_t begin = begin_of(worker);
    return {
        .first = static_cast<std::uint16_t>(first_nat_port + begin),
        .count = static_cast<std::uint16_t>(begin_of(worker + 1) - begin),
    };
}

void NatPorts::survey(std::size_t pools) {
    for (std::size_t i = 0; i < pools; ++i) {
        survey_most_ = std::max(survey_most_, pools_[survey_next_].taken);
        if (++survey_next_ == pools_.size()) {
            fullest_ = survey_most_;
            survey_next_ = 0;
            survey_most_ = 0;
        }
    }
}

} // namespace penstock
