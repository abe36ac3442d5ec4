// SPDX-License-Identifier: Apache-2.0
// Source addresses and ports of NAT: whose they are, and the next one to use.
//
// Every worker owns a contiguous share of the ports 1024 … 65535 of every source address, so that a
// reply's destination port alone names the worker that knows its flow, and no two workers ever
// allocate against each other: no lock.
//
//   3 workers: [1024 … 22527] [22528 … 44031] [44032 … 65535]
//
// Each backend is a pool of its own: one source port serves a flow to each of many backends. A pool
// is walked in a circle, source by source and port by port, so that the port last used the longest
// ago comes next. Which ports are taken is known by the NAT table alone, which the caller asks: two
// services that share a server cannot give out a port twice. A search asks about max_search ports
// and then gives up; the next one goes on where it stopped. So a pool with a free port may refuse a
// few flows when nearly all are taken, and finds it within size / max_search attempts.
//
// Thread rule: one per worker, used by it alone; port_share() and owner_of_port() are pure.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/hash.hpp"
#include "dataplane/core/identity.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace penstock {

inline constexpr std::uint16_t first_nat_port = 1024;
inline constexpr std::uint32_t nat_port_count = 65536 - first_nat_port;

/// Ports of each source address, host order.
struct PortShare {
    std::uint16_t first = first_nat_port;
    std::uint16_t count = 0;
};

/// Those of worker `worker`. REQUIRES: worker < workers <= max_workers.
[[nodiscard]] PortShare port_share(std::size_t worker, std::size_t workers);

/// The worker whose share has `port` (host order); worker 0 for ports below 1024, which no flow
/// uses.
[[nodiscard]] constexpr std::size_t owner_of_port(std::uint16_t port, std::size_t workers) {
    if (port < first_nat_port) {
        return 0;
    }
    return (static_cast<std::size_t>(port - first_nat_port) * workers) / nat_port_count;
}

struct NatSource {
    IpAddress address;
    Be16 port{};

    friend bool operator==(const NatSource&, const NatSource&) = default;
};

class NatPorts {
public:
    /// Ports that one search looks at.
    static constexpr std::size_t max_search = 64;

    explicit NatPorts(PortShare share) : share_(share) {}

    [[nodiscard]] PortShare share() const { return share_; }

    /// The next source for a flow to `backend`, for which `is_taken(NatSource)` is false; nothing
    /// if the search found none. A pool's first search starts where `start` says, so that a
    /// restarted node does not begin with the ports that its servers remember.
    template <typename IsTaken>
    [[nodiscard]] std::optional<NatSource> find_free(
        BackendId backend,
        std::span<const IpAddress> sources,
        std::uint32_t start,
        IsTaken&& is_taken
    );

    // Ports in use, resting ones included. The caller says when a flow takes one and lets it go.
    void count_taken(BackendId backend) { ++pools_[backend.value].taken; }

    void count_freed(BackendId backend) { --pools_[backend.value].taken; }

    [[nodiscard]] std::uint32_t taken(BackendId backend) const {
        return pools_[backend.value].taken;
    }

    /// Looks at the next `pools` pools for the fullest one; call it at every housekeeping.
    void survey(std::size_t pools);

    /// Ports taken in the pool that has most of them, as of the last complete survey.
    [[nodiscard]] std::uint32_t fullest() const { return fullest_; }

private:
    struct Pool {
        std::uint32_t next = unset; ///< position in the circle
        std::uint32_t taken = 0;
    };

    static constexpr std::uint32_t unset = UINT32_MAX;

    PortShare share_;
    std::size_t survey_next_ = 0;
    std::uint32_t survey_most_ = 0;
    std::uint32_t fullest_ = 0;
    std::array<Pool, max_backends> pools_{};
};

template <typename IsTaken>
std::optional<NatSource> NatPorts::find_free(
    BackendId backend, std::span<const IpAddress> sources, std::uint32_t start, IsTaken&& is_taken
) {
    const auto size = static_cast<std::uint32_t>(sources.size() * share_.count);
    if (size == 0) {
        return std::nullopt;
    }
    Pool& pool = pools_[backend.value];
    // The number of sources may have changed since.
    std::uint32_t position = (pool.next == unset ? start : pool.next) % size;
    for (std::size_t i = 0; i < max_search && i < size; ++i) {
        // Source by source, so that the flows of a second spread over all.
        const auto source_count = static_cast<std::uint32_t>(sources.size());
        const NatSource candidate{
            .address = sources[position % source_count],
            .port =
                Be16::from_host(static_cast<std::uint16_t>(share_.first + (position / source_count))
                ),
        };
        position = position + 1 == size ? 0 : position + 1;
        pool.next = position;
        if (!is_taken(candidate)) {
            return candidate;
        }
    }
    return std::nullopt;
}

} // namespace penstock
