// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/probe_state.hpp"

#include <fmt/format.h>
#include <utility>

namespace penstock {

void ProbeState::set_thresholds(std::uint16_t fall, std::uint16_t rise) {
    fall_ = fall;
    rise_ = rise;
}

bool ProbeState::adopt(Health health, WallTime now) {
    if (health_ != Health::unknown) {
        return false;
    }
    change_to(health, "adopted from the dataplane when penstock-cp started", now);
    return true;
}

std::optional<HealthTransition> ProbeState::record(const ProbeResult& result, WallTime now) {
    if (result.outcome == ProbeOutcome::inconclusive) {
        inconclusive_detail_ = result.detail;
        return std::nullopt;
    }
    inconclusive_detail_.clear();
    const bool good = result.outcome == ProbeOutcome::good;
    const std::string last_good = good ? "" : describe_last_good(now);
    if (good) {
        last_good_ = now;
    }
    const Health says = good ? Health::up : Health::down;
    if (health_ == Health::unknown) {
        return change_to(says, fmt::format("{}, first probe", result.detail), now);
    }
    if (says == health_) {
        contrary_ = 0;
        return std::nullopt;
    }
    ++contrary_;
    contrary_detail_ = result.detail;
    const std::uint16_t needed = good ? rise_ : fall_;
    if (contrary_ < needed) {
        return std::nullopt;
    }
    // A reload may have lowered the threshold below what was counted already.
    return change_to(
        says, fmt::format("{}, {} of {}{}", result.detail, contrary_, needed, last_good), now
    );
}

std::string ProbeState::reason() const {
    std::string text = reason_;
    const auto append = [&text](const std::string& part) {
        text += text.empty() ? part : "; " + part;
    };
    if (contrary_ > 0) {
        const std::uint16_t needed = health_ == Health::up ? fall_ : rise_;
        append(fmt::format("now {}, {} of {}", contrary_detail_, contrary_, needed));
    }
    if (!inconclusive_detail_.empty()) {
        append(fmt::format("last probe not made: {}", inconclusive_detail_));
    }
    return text;
}

HealthTransition ProbeState::change_to(Health to, std::string reason, WallTime now) {
    HealthTransition transition{
        .from = health_, .to = to, .reason = std::move(reason), .time = now
    };
    health_ = to;
    reason_ = transition.reason;
    since_ = now;
    contrary_ = 0;
    return transition;
}

std::string ProbeState::describe_last_good(WallTime now) const {
    return last_good_ ? "; last ok " + format_clock(*last_good_, now) : "; never ok since start";
}

} // namespace penstock
