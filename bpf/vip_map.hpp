// SPDX-License-Identifier: Apache-2.0
// The set of VIPs of a loaded program: the whole set is given, the difference is written.
//
// Thread rule: one thread; the only writer of the map behind it, so that the set is read once and
// then remembered. No change costs no system call.
#pragma once

#include "bpf/error.hpp"
#include "bpf/file_descriptor.hpp"
#include "dataplane/core/addresses.hpp"

#include <span>
#include <vector>

namespace penstock::bpf {

class VipMap {
public:
    /// Takes over the descriptor of a `vips` map (abi.h) and reads what it holds.
    [[nodiscard]] static BpfResult<VipMap> adopt(FileDescriptor map);

    /// Makes the map hold exactly `vips`, in any order, repetitions allowed. VIPs that stay are not
    /// touched. If one cannot be added, none of the new ones is; vips() is always what the map
    /// holds, and setting again continues from there.
    [[nodiscard]] BpfResult<void> set(std::span<const IpAddress> vips);

    /// Sorted, without repetitions.
    [[nodiscard]] const std::vector<IpAddress>& vips() const { return vips_; }

private:
    VipMap(FileDescriptor map, std::vector<IpAddress> vips)
        : map_(std::move(map)), vips_(std::move(vips)) {}

    [[nodiscard]] BpfResult<void> add(const std::vector<IpAddress>& fresh);
    [[nodiscard]] BpfResult<void> remove(const std::vector<IpAddress>& stale);

    FileDescriptor map_;
    std::vector<IpAddress> vips_; // sorted: what the map holds
};

} // namespace penstock::bpf
