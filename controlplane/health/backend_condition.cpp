// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/backend_condition.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace penstock {

AdminState stricter(AdminState left, AdminState right) {
    return std::max(left, right); // in the order of the enumeration
}

static_assert(AdminState::ready < AdminState::drain && AdminState::drain < AdminState::disabled);

std::uint16_t scale_weight(std::uint16_t weight, unsigned percent) {
    if (weight == 0 || percent == 0) {
        return 0;
    }
    const unsigned scaled = (unsigned{weight} * percent + 50) / 100;
    return static_cast<std::uint16_t>(std::clamp(scaled, 1U, 65535U));
}

void lay_condition(
    BackendSpec& backend, const BackendCondition& condition, const OperatorWord& word
) {
    backend.health = condition.health;
    backend.weight = scale_weight(backend.weight, condition.start_percent);
    if (condition.report && !word.has_weight) {
        backend.weight = scale_weight(backend.weight, condition.report->weight_percent);
    }
    if (condition.report && !word.has_admin) {
        backend.admin = stricter(backend.admin, condition.report->admin);
    }
}

std::string describe(const AgentReport& report) {
    std::string text = fmt::format("weight {} %", report.weight_percent);
    if (report.admin != AdminState::ready) {
        text += fmt::format(", {}", to_string(report.admin));
    }
    return text;
}

} // namespace penstock
