// SPDX-License-Identifier: Apache-2.0
// A set of up to millions of prefixes of both families, compiled for one question: does it contain
// this address?
//
// The prefixes become sorted ranges that neither touch nor overlap. Of IPv4, a table by the first
// 16 bits of the address says which ranges reach into that block, so that a look-up reads one place
// of it and then searches the few bounds of the block (a million /24 leave at most 256 in one); of
// IPv6, the same by the first 16 bits behind the top three that all global addresses share.
//
//   10.0.0.0/8, 10.1.0.0/16, 11.0.0.0/8 ──► one range: 10.0.0.0 … 11.255.255.255
//
//   address ──first 16 bits──► [begin, end) in `starts` ──► last start <= address ──► <= its end?
//
// Own code rather than DPDK's LPM or FIB, because core knows no DPDK: the same look-up runs in
// replay, in the simulator and under the fuzzers. A set needs no next hops, so it is also smaller:
// 8 bytes a range of IPv4 (LPM: 64 MB for its first level alone), 32 of IPv6, 256 KB an index.
//
// Thread rule: immutable after construction; any thread may read. Building sorts: n log n, on the
// builder thread.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/ip_prefix.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace penstock {

/// No part of ISO C++; GCC and Clang have it on every 64-bit machine.
__extension__ typedef unsigned __int128 Uint128;

/// Sorted ranges of unsigned numbers of one width, with an index by 16 of their bits.
template <typename Number>
class RangeSet {
public:
    struct Range {
        Number first;
        Number last; ///< contained

        friend constexpr auto operator<=>(const Range&, const Range&) = default;
    };

    RangeSet() = default;

    /// Of any ranges, in any order.
    explicit RangeSet(std::vector<Range> ranges);

    [[nodiscard]] bool contains(Number number) const;

    [[nodiscard]] bool empty() const { return firsts_.empty(); }

    [[nodiscard]] std::size_t size() const { return firsts_.size(); }

    [[nodiscard]] std::size_t bytes() const;

private:
    void merge(std::vector<Range>& ranges);
    void build_index();

    // Apart, so that a search reads nothing but what it compares.
    std::vector<Number> firsts_;
    std::vector<Number> lasts_;
    std::vector<std::uint32_t> index_; ///< by block: ranges that begin before it
};

extern template class RangeSet<std::uint32_t>;
extern template class RangeSet<Uint128>;

class PrefixSet {
public:
    PrefixSet() = default;
    explicit PrefixSet(std::span<const IpPrefix> prefixes);

    /// IPv4, network order.
    [[nodiscard]] bool contains_ipv4(Be32 address) const {
        return !ipv4_.empty() && ipv4_.contains(address.host());
    }

    /// IPv6, 16 bytes.
    [[nodiscard]] bool contains_ipv6(const std::uint8_t* address) const;

    [[nodiscard]] bool contains(const IpAddress& address) const;

    [[nodiscard]] bool empty() const { return ipv4_.empty() && ipv6_.empty(); }

    /// Ranges that are left of the prefixes.
    [[nodiscard]] std::size_t range_count() const { return ipv4_.size() + ipv6_.size(); }

    /// Memory, in bytes.
    [[nodiscard]] std::size_t bytes() const { return ipv4_.bytes() + ipv6_.bytes(); }

private:
    RangeSet<std::uint32_t> ipv4_;
    RangeSet<Uint128> ipv6_;
};

} // namespace penstock
