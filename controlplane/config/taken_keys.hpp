// SPDX-License-Identifier: Apache-2.0
// Which services may not stand beside each other, by the rule of ServiceKey: those that are equal in
// prefix, protocol and width of the ports, and overlap.
//
// Thread rule: one thread.
#pragma once

#include "controlplane/config/source.hpp"
#include "dataplane/core/desired_state.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>

namespace penstock::config {

class TakenKeys {
public:
    /// The place of a service that `key` cannot stand beside; else `key` is taken from now on.
    std::optional<Span> add(const ServiceKey& key, const Span& span);

private:
    /// Prefix, protocol, takes any port, ports after the first.
    using Rank = std::tuple<IpPrefix, Protocol, bool, std::uint16_t>;

    std::map<Rank, std::map<std::uint16_t, Span>> first_ports_;
};

} // namespace penstock::config
