// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/steered_traffic.hpp"

#include <algorithm>

namespace penstock {

namespace {

template <typename Value>
void sort_out(std::vector<Value>& values) {
    std::ranges::sort(values);
    const auto repeated = std::ranges::unique(values);
    values.erase(repeated.begin(), repeated.end());
}

bool is_tunnel(Forwarding forwarding) {
    return forwarding == Forwarding::ipip || forwarding == Forwarding::gre ||
           forwarding == Forwarding::gue;
}

} // namespace

std::vector<IpPrefix> steered_vips(const DesiredState& desired) {
    std::vector<IpPrefix> vips;
    for (const ServiceSpec& service : desired.services) {
        vips.push_back(service.key.prefix());
    }
    for (const IpAddress& source : desired.nat_sources) {
        vips.push_back(IpPrefix{.address = source});
    }
    sort_out(vips);
    return vips;
}

TunnelMarks tunnel_marks(const DesiredState& desired, const TunnelSources& defaults) {
    TunnelMarks marks;
    bool has_tunnel = false;
    for (const ServiceSpec& service : desired.services) {
        has_tunnel = has_tunnel || is_tunnel(service.forwarding);
        if (service.forwarding == Forwarding::gue) {
            marks.gue_ports.push_back(service.gue_port);
        }
    }
    if (!has_tunnel) {
        return marks;
    }
    const TunnelSources& named = desired.tunnel_sources;
    for (const auto& source :
         {named.ipv4 ? named.ipv4 : defaults.ipv4, named.ipv6 ? named.ipv6 : defaults.ipv6}) {
        if (source) {
            marks.sources.push_back(*source);
        }
    }
    sort_out(marks.sources);
    sort_out(marks.gue_ports);
    return marks;
}

} // namespace penstock
