// SPDX-License-Identifier: Apache-2.0
// All VIPs of a configuration, to find what must not be inside one.
//
// Thread rule: one thread.
#pragma once

#include "controlplane/config/source.hpp"
#include "dataplane/core/ip_prefix.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace penstock::config {

class VipBlocks {
public:
    struct Found {
        IpPrefix block;
        Span span;
    };

    void add(const IpPrefix& block, const Span& span);

    /// The smallest block that contains `address`.
    [[nodiscard]] std::optional<Found> find(const IpAddress& address) const;

private:
    /// By family and host bits: as many look-ups as there are lengths.
    std::map<std::pair<Family, std::uint8_t>, std::map<IpAddress, Span>> blocks_;
};

} // namespace penstock::config
