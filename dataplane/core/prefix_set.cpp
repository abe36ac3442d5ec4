// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/prefix_set.hpp"

#include <algorithm>
#include <utility>

namespace penstock {
namespace {

constexpr std::size_t block_count = std::size_t{1} << 16U;

// Global unicast addresses all begin with 001 (RFC 4291 2.4): an index by the bits behind tells
// more apart. What begins otherwise is clamped to the first or the last block.
constexpr unsigned shift_ipv6 = 128 - 3 - 16;
constexpr auto first_global = static_cast<Uint128>(1) << 125U;
constexpr auto after_global = static_cast<Uint128>(1) << 126U;

std::size_t block_of(std::uint32_t number) {
    return number >> 16U;
}

// Monotonic, which is all that the index needs.
std::size_t block_of(Uint128 number) {
    if (number < first_global) {
        return 0;
    }
    if (number >= after_global) {
        return block_count - 1;
    }
    return static_cast<std::size_t>(number >> shift_ipv6) & (block_count - 1);
}

Uint128 number_of(const std::uint8_t* bytes) {
    Uint128 number = 0;
    for (std::size_t i = 0; i < 16; ++i) {
        number = (number << 8U) | bytes[i];
    }
    return number;
}

template <typename Number>
Number mask_of(std::uint8_t host_bits) {
    return host_bits >= sizeof(Number) * 8 ? static_cast<Number>(~Number{0})
                                           : static_cast<Number>((Number{1} << host_bits) - 1);
}

} // namespace

template <typename Number>
RangeSet<Number>::RangeSet(std::vector<Range> ranges) {
    if (ranges.empty()) {
        return;
    }
    std::ranges::sort(ranges);
    merge(ranges);
    build_index();
}

template <typename Number>
void RangeSet<Number>::merge(std::vector<Range>& ranges) {
    std::size_t kept = 0;
    for (std::size_t i = 1; i < ranges.size(); ++i) {
        Range& last = ranges[kept];
        // The largest number has no successor: everything that follows lies within.
        const bool touches =
            last.last == static_cast<Number>(~Number{0}) || ranges[i].first <= last.last + 1;
        if (touches) {
            last.last = std::max(last.last, ranges[i].last);
        } else {
            ranges[++kept] = ranges[i];
        }
    }
    ranges.resize(kept + 1);
    firsts_.reserve(ranges.size());
    lasts_.reserve(ranges.size());
    for (const Range& range : ranges) {
        firsts_.push_back(range.first);
        lasts_.push_back(range.last);
    }
}

template <typename Number>
void RangeSet<Number>::build_index() {
    index_.assign(block_count + 1, 0);
    for (const Number first : firsts_) {
        ++index_[block_of(first) + 1];
    }
    for (std::size_t block = 0; block < block_count; ++block) {
        index_[block + 1] += index_[block];
    }
}

template <typename Number>
bool RangeSet<Number>::contains(Number number) const {
    if (firsts_.empty()) {
        return false;
    }
    const std::size_t block = block_of(number);
    const auto begin = firsts_.begin() + index_[block];
    const auto end = firsts_.begin() + index_[block + 1];
    const auto after = std::upper_bound(begin, end, number);
    // If no range of this block begins at or below it, the last one of an earlier block may reach
    // it.
    const auto count = static_cast<std::size_t>(after - firsts_.begin());
    return count != 0 && number <= lasts_[count - 1];
}

template <typename Number>
std::size_t RangeSet<Number>::bytes() const {
    return (firsts_.capacity() + lasts_.capacity()) * sizeof(Number) +
           (index_.capacity() * sizeof(std::uint32_t));
}

template class RangeSet<std::uint32_t>;
template class RangeSet<Uint128>;

PrefixSet::PrefixSet(std::span<const IpPrefix> prefixes) {
    std::vector<RangeSet<std::uint32_t>::Range> ipv4;
    std::vector<RangeSet<Uint128>::Range> ipv6;
    for (const IpPrefix& prefix : prefixes) {
        if (prefix.address.is_ipv4()) {
            const std::uint32_t first = prefix.address.ipv4().host();
            ipv4.push_back(
                {.first = first, .last = first | mask_of<std::uint32_t>(prefix.host_bits)}
            );
        } else {
            const auto first = number_of(prefix.address.bytes().data());
            ipv6.push_back({.first = first, .last = first | mask_of<Uint128>(prefix.host_bits)});
        }
    }
    ipv4_ = RangeSet<std::uint32_t>(std::move(ipv4));
    ipv6_ = RangeSet<Uint128>(std::move(ipv6));
}

bool PrefixSet::contains_ipv6(const std::uint8_t* address) const {
    return !ipv6_.empty() && ipv6_.contains(number_of(address));
}

bool PrefixSet::contains(const IpAddress& address) const {
    return address.is_ipv4() ? contains_ipv4(address.ipv4())
                             : contains_ipv6(address.bytes().data());
}

} // namespace penstock
