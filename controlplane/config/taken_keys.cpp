// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/taken_keys.hpp"

namespace penstock::config {

std::optional<Span> TakenKeys::add(const ServiceKey& key, const Span& span) {
    auto& taken = first_ports_[{key.prefix(), key.protocol, key.takes_any_port(), key.more_ports}];
    // Ranges of one width overlap if their first ports are at most that width apart.
    const int least = int{key.port} - int{key.more_ports};
    const auto near = taken.lower_bound(static_cast<std::uint16_t>(least > 0 ? least : 0));
    if (near != taken.end() && near->first <= key.port + key.more_ports) {
        return near->second;
    }
    taken.emplace(key.port, span);
    return std::nullopt;
}

} // namespace penstock::config
