// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/desired_state.hpp"

namespace penstock {

bool takes_new_flows(const BackendSpec& backend) {
    return backend.admin == AdminState::ready && backend.health == Health::up && backend.weight > 0;
}

bool keeps_flows(const BackendSpec& backend) {
    return backend.admin != AdminState::disabled && backend.health != Health::down;
}

// Without a default, so that the compiler names the enumerator that was forgotten here. A value
// outside the enumeration cannot come from outside: the codec and the parser refuse it.

std::string_view to_string(Protocol value) {
    switch (value) {
    case Protocol::any:
        return "any";
    case Protocol::tcp:
        return "tcp";
    case Protocol::udp:
        return "udp";
    }
    __builtin_unreachable();
}

std::string_view to_string(Forwarding value) {
    switch (value) {
    case Forwarding::l2dsr:
        return "l2dsr";
    case Forwarding::ipip:
        return "ipip";
    case Forwarding::gre:
        return "gre";
    case Forwarding::gue:
        return "gue";
    case Forwarding::nat:
        return "nat";
    }
    __builtin_unreachable();
}

std::string_view to_string(Affinity value) {
    switch (value) {
    case Affinity::tuple:
        return "tuple";
    case Affinity::client:
        return "client";
    case Affinity::client_port:
        return "client_port";
    }
    __builtin_unreachable();
}

std::string_view to_string(DownPolicy value) {
    switch (value) {
    case DownPolicy::rehash:
        return "rehash";
    case DownPolicy::keep:
        return "keep";
    case DownPolicy::reset:
        return "reset";
    }
    __builtin_unreachable();
}

std::string_view to_string(AdminState value) {
    switch (value) {
    case AdminState::ready:
        return "ready";
    case AdminState::drain:
        return "drain";
    case AdminState::disabled:
        return "disabled";
    }
    __builtin_unreachable();
}

std::string_view to_string(Health value) {
    switch (value) {
    case Health::unknown:
        return "unknown";
    case Health::up:
        return "up";
    case Health::down:
        return "down";
    }
    __builtin_unreachable();
}

std::string to_string(const ServiceKey& key) {
    const std::string vip = key.prefix().to_string();
    std::string text = key.vip.is_ipv4() ? vip : '[' + vip + ']';
    if (key.protocol != Protocol::any || !key.takes_any_port()) {
        text += ':' + (key.takes_any_port() ? "any" : std::to_string(key.port));
    }
    if (key.more_ports > 0) {
        text += '-' + std::to_string(key.last_port());
    }
    return text + '/' + std::string(to_string(key.protocol));
}

} // namespace penstock
