// SPDX-License-Identifier: Apache-2.0
// A set of prefixes of a loaded program (its VIPs, the sources of its tunnels): the whole set is
// given, the difference is written.
//
// Thread rule: one thread; the only writer of the map behind it, so that the set is read once and
// then remembered. No change costs no system call.
#pragma once

#include "bpf/error.hpp"
#include "bpf/file_descriptor.hpp"
#include "dataplane/core/ip_prefix.hpp"

#include <span>
#include <string_view>
#include <vector>

namespace penstock::bpf {

class PrefixMap {
public:
    /// Takes over the descriptor of a map of prefixes (abi.h) and reads what it holds. `noun` says
    /// in messages what one of them is ("VIP"); it must outlive the map: a literal.
    [[nodiscard]] static BpfResult<PrefixMap> adopt(FileDescriptor map, std::string_view noun);

    /// Makes the map hold exactly `prefixes`, in any order, repetitions allowed. Those that stay
    /// are not touched. If one cannot be added, none of the new ones is; prefixes() is always what
    /// the map holds, and setting again continues from there. Overlaps are allowed.
    [[nodiscard]] BpfResult<void> set(std::span<const IpPrefix> prefixes);

    /// Sorted, without repetitions.
    [[nodiscard]] const std::vector<IpPrefix>& prefixes() const { return prefixes_; }

private:
    PrefixMap(FileDescriptor map, std::vector<IpPrefix> prefixes, std::string_view noun)
        : map_(std::move(map)), prefixes_(std::move(prefixes)), noun_(noun) {}

    [[nodiscard]] BpfResult<void> add(const std::vector<IpPrefix>& fresh);
    [[nodiscard]] BpfResult<void> remove(const std::vector<IpPrefix>& stale);

    FileDescriptor map_;
    std::vector<IpPrefix> prefixes_; // sorted: what the map holds
    std::string_view noun_;
};

/// Each address as a prefix of its whole length.
[[nodiscard]] std::vector<IpPrefix> to_prefixes(std::span<const IpAddress> addresses);

} // namespace penstock::bpf
