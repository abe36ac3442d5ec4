// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/backend_course.hpp"

#include <algorithm>
#include <array>

namespace penstock {

using std::chrono::milliseconds;

namespace {

constexpr std::array<unsigned, 4> steps{10, 25, 50, 75};

} // namespace

std::optional<milliseconds>
BackendCourse::record_down(const config::HealthPolicy& policy, Time now) {
    started_.reset();
    const milliseconds window(policy.flap_window_ms);
    while (!downs_.empty() && downs_.front() + window < now) {
        downs_.pop_front();
    }
    if (downs_.empty()) {
        holds_ = 0;
    }
    if (policy.flap_limit == 0) {
        return std::nullopt;
    }
    downs_.push_back(now);
    if (downs_.size() <= policy.flap_limit) {
        return std::nullopt;
    }
    downs_.pop_front(); // never more than the limit and one
    constexpr unsigned most_doublings = 16;
    const std::uint64_t hold_ms = std::uint64_t{policy.flap_hold_ms}
                                  << std::min(holds_, most_doublings);
    ++holds_;
    const milliseconds hold(std::min<std::uint64_t>(hold_ms, config::max_flap_hold_ms));
    held_until_ = now + hold;
    return hold;
}

std::optional<BackendCourse::Time> BackendCourse::start_time() const {
    if (!started_ || !held_until_) {
        return started_;
    }
    return std::max(*started_, *held_until_);
}

unsigned BackendCourse::weight_percent(const config::HealthPolicy& policy, Time now) const {
    const auto start = start_time();
    if (!start || policy.slow_start_ms == 0) {
        return 100;
    }
    const auto step = milliseconds(policy.slow_start_ms) / steps.size();
    const auto passed = std::max(now - *start, Time::duration::zero()) / step;
    return static_cast<std::size_t>(passed) < steps.size()
               ? steps.at(static_cast<std::size_t>(passed))
               : 100;
}

std::optional<BackendCourse::Time>
BackendCourse::next_change(const config::HealthPolicy& policy, Time now) const {
    if (is_held(now)) {
        return held_until_;
    }
    const auto start = start_time();
    if (!start || policy.slow_start_ms == 0) {
        return std::nullopt;
    }
    const auto step = milliseconds(policy.slow_start_ms) / steps.size();
    for (std::size_t i = 1; i <= steps.size(); ++i) {
        const Time at = *start + step * static_cast<int>(i);
        if (at > now) {
            return at;
        }
    }
    return std::nullopt;
}

} // namespace penstock
