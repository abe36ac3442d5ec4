// SPDX-License-Identifier: Apache-2.0
// Token buckets by name: how often each client of the network may ask.
//
// Thread rule: the loop's thread; time is given. Bounded: max_clients buckets; when they are all in use,
// the one that was asked longest ago makes room, which can only be to its client's advantage.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace penstock {

class RateLimit {
public:
    using Time = std::chrono::steady_clock::time_point;

    static constexpr std::size_t max_clients = 4096;

    /// `burst` at once, `per_second` kept up. REQUIRES: both above 0.
    RateLimit(double per_second, double burst) : per_second_(per_second), burst_(burst) {}

    /// From now on; buckets keep what is in them.
    void set(double per_second, double burst);

    /// Takes one from the bucket of `client`; false if it is empty.
    [[nodiscard]] bool take(std::string_view client, Time now);

    /// Whether take() would succeed.
    [[nodiscard]] bool has(std::string_view client, Time now) const;

    /// Seconds, rounded up, until one is there again for a client who has none; at least 1.
    [[nodiscard]] unsigned wait_s() const;

    [[nodiscard]] std::size_t size() const { return buckets_.size(); }

private:
    struct Bucket {
        std::string client;
        double level;
        Time at;
    };

    [[nodiscard]] double level_at(const Bucket& bucket, Time now) const;

    double per_second_;
    double burst_;
    std::list<Bucket> buckets_; ///< the one that was asked last first
    std::unordered_map<std::string_view, std::list<Bucket>::iterator> by_client_;
};

} // namespace penstock
