// SPDX-License-Identifier: Apache-2.0
// How many new flows a second are let in: one bucket for a service, and a table of buckets for the
// sources of services that limit them.
//
// Each is a token bucket that holds one second of its rate: an idle one lets that many in at once,
// a busy one the rate. Time is in milliseconds and may stand still; tokens are counted in
// thousandths, so that a rate of one a second loses nothing to rounding.
//
//   rate 5/s: 5 at once; 200 ms later one more; after a second of quiet 5 again
//
// Thread rule: each worker has its own and enforces its share of the limit (share_of_limit());
// nothing is shared. Memory comes from outside and is never grown.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/hash.hpp"
#include "dataplane/core/identity.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace penstock {

/// A worker's share of a limit: rounded up, so that none is 0.
[[nodiscard]] constexpr std::uint32_t share_of_limit(std::uint32_t limit, std::size_t workers) {
    return static_cast<std::uint32_t>((std::uint64_t{limit} + workers - 1) / workers);
}

struct TokenBucket {
    std::uint32_t last_ms = 0;    ///< wraps after 49 days
    std::uint32_t used_milli = 0; ///< tokens missing, in thousandths

    /// Takes a token of a bucket of `rate` a second. False, and nothing taken, if there is none.
    /// REQUIRES: rate is 1 … 4,000,000.
    [[nodiscard]] bool take(std::uint32_t rate, std::uint64_t now_ms) {
        const auto now = static_cast<std::uint32_t>(now_ms);
        // Thousandths a millisecond is what tokens a second are. Time that went back is no time.
        const std::uint32_t passed = now - last_ms;
        const std::uint64_t gained =
            passed < INT32_MAX ? std::uint64_t{passed} * rate : std::uint64_t{0};
        last_ms = now;
        used_milli = gained >= used_milli ? 0U : static_cast<std::uint32_t>(used_milli - gained);
        if (used_milli + milli > rate * milli) {
            return false;
        }
        used_milli += milli;
        return true;
    }

private:
    static constexpr std::uint32_t milli = 1000;
};

/// The largest rate that a bucket can count.
inline constexpr std::uint32_t max_rate_per_s = 4'000'000;

static_assert(sizeof(TokenBucket) == 8);

/// Buckets of sources: sets of eight, found by a keyed hash of service and source prefix. A source
/// that is new to a full set takes the place of the bucket with the most tokens left, which is the
/// one that loses least: it had used the least of its rate. So a flood of sources that each come
/// once cannot make room for one that is over its limit, and memory never grows; what a displaced
/// source loses is the memory of what it used, to its own favour.
class SourceLimiter {
public:
    static constexpr std::size_t ways = 8;
    static constexpr std::size_t max_sets = std::size_t{1} << 20U;

    /// Bytes for about this many sources at once: a power of two of sets.
    [[nodiscard]] static std::size_t bytes_for(std::size_t sources);

    /// REQUIRES: `memory` is aligned to 64, outlives the table and is bytes_for(…) long.
    explicit SourceLimiter(std::span<std::byte> memory);

    SourceLimiter(const SourceLimiter&) = delete;
    SourceLimiter& operator=(const SourceLimiter&) = delete;

    /// Takes a token of the bucket of this source at this service. `key` is the hash of service and
    /// source prefix. False if there is none.
    [[nodiscard]] bool take(FlowHash key, std::uint32_t rate, std::uint64_t now_ms);

    /// Sources that took the place of another one, since the start.
    [[nodiscard]] std::uint64_t displaced() const { return displaced_; }

private:
    struct Entry {
        std::uint32_t digest = 0;
        std::uint32_t rate = 0; ///< 0: empty
        TokenBucket bucket;
    };

    static_assert(sizeof(Entry) == 16);

    [[nodiscard]] static std::uint64_t tokens_used(const Entry& entry, std::uint32_t now_ms);

    Entry* entries_ = nullptr;
    std::size_t mask_ = 0; ///< of sets
    std::uint64_t displaced_ = 0;
};

} // namespace penstock
