// SPDX-License-Identifier: Apache-2.0
// The UDP ports that a loaded program takes for GUE: the whole set is given, the difference is
// written.
//
// Thread rule: one thread; the only writer of the map behind it.
#pragma once

#include "bpf/error.hpp"
#include "bpf/file_descriptor.hpp"

#include <cstdint>
#include <set>
#include <span>

namespace penstock::bpf {

class GuePortMap {
public:
    /// Takes over the descriptor of a `gue_ports` map (abi.h) and reads what it holds.
    [[nodiscard]] static BpfResult<GuePortMap> adopt(FileDescriptor map);

    /// Makes the map hold exactly `ports` (host order), at most PENSTOCK_MAX_GUE_PORTS that differ.
    /// After an error ports() is what the map holds, and setting again continues from there.
    [[nodiscard]] BpfResult<void> set(std::span<const std::uint16_t> ports);

    /// Host order.
    [[nodiscard]] const std::set<std::uint16_t>& ports() const { return ports_; }

private:
    GuePortMap(FileDescriptor map, std::set<std::uint16_t> ports)
        : map_(std::move(map)), ports_(std::move(ports)) {}

    FileDescriptor map_;
    std::set<std::uint16_t> ports_; // what the map holds
};

} // namespace penstock::bpf
