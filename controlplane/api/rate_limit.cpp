// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/rate_limit.hpp"

#include <algorithm>
#include <cmath>

namespace penstock {

void RateLimit::set(double per_second, double burst) {
    per_second_ = per_second;
    burst_ = burst;
}

double RateLimit::level_at(const Bucket& bucket, Time now) const {
    const std::chrono::duration<double> passed = now - bucket.at;
    return std::min(burst_, bucket.level + std::max(0.0, passed.count()) * per_second_);
}

bool RateLimit::take(std::string_view client, Time now) {
    const auto found = by_client_.find(client);
    if (found == by_client_.end()) {
        if (buckets_.size() == max_clients) {
            by_client_.erase(buckets_.back().client);
            buckets_.pop_back();
        }
        buckets_.push_front({.client = std::string(client), .level = burst_ - 1, .at = now});
        by_client_.emplace(buckets_.front().client, buckets_.begin());
        return true;
    }
    Bucket& bucket = *found->second;
    buckets_.splice(buckets_.begin(), buckets_, found->second);
    bucket.level = level_at(bucket, now);
    bucket.at = now;
    if (bucket.level < 1) {
        return false;
    }
    bucket.level -= 1;
    return true;
}

bool RateLimit::has(std::string_view client, Time now) const {
    const auto found = by_client_.find(client);
    return found == by_client_.end() || level_at(*found->second, now) >= 1;
}

unsigned RateLimit::wait_s() const {
    return static_cast<unsigned>(std::max(1.0, std::ceil(1 / per_second_)));
}

} // namespace penstock
