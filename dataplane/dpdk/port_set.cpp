// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/port_set.hpp"

#include <cerrno>
#include <cstring>
#include <spdlog/spdlog.h>

namespace penstock {

std::expected<void, Refusal> PortSet::steer_vips(std::span<const IpPrefix> vips) {
    // What to go back to, by port.
    std::vector<std::pair<Port*, std::vector<IpPrefix>>> changed;
    for (const auto& port : ports_) {
        bpf::Steering* const steering = port->steering();
        if (steering == nullptr) {
            continue;
        }
        changed.emplace_back(port.get(), steering->vips());
        if (auto set = steering->set_vips(vips); !set) {
            for (const auto& [to_restore, before] : changed) {
                if (auto restored = to_restore->steering()->set_vips(before); !restored) {
                    spdlog::error(
                        "port {}: steering is not what it was: {}",
                        to_restore->description().name,
                        restored.error().text()
                    );
                }
            }
            return std::unexpected(
                Refusal{"port " + port->description().name, set.error().cause, set.error().remedy}
            );
        }
    }
    return {};
}

std::expected<void, Refusal> PortSet::steer_tunnels(const TunnelMarks& tunnels) {
    for (const auto& port : ports_) {
        bpf::Steering* const steering = port->steering();
        if (steering == nullptr) {
            continue;
        }
        if (auto set = steering->set_tunnels({tunnels.sources, tunnels.gue_ports}); !set) {
            return std::unexpected(
                Refusal{"port " + port->description().name, set.error().cause, set.error().remedy}
            );
        }
    }
    return {};
}

void PortSet::announce_vips(std::span<const IpAddress> vips) {
    for (const auto& port : ports_) {
        const PortDescription& description = port->description();
        if (!description.ifindex) {
            continue;
        }
        for (const IpAddress& vip : vips) {
            if (!announcer_.announce(
                    *description.ifindex, make_announcement(vip, description.mac)
                )) {
                spdlog::warn(
                    "port {}: {} could not be announced: {}",
                    description.name,
                    vip.to_string(),
                    std::strerror(errno)
                );
            }
        }
    }
}

PortObservation PortSet::observe_port(PortId port) {
    return ports_.at(port.value)->observe();
}

} // namespace penstock
