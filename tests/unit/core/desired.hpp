// SPDX-License-Identifier: Apache-2.0
// Desired states for tests: what is not said is harmless.
#pragma once

#include "dataplane/core/compile.hpp"
#include "dataplane/core/desired_state.hpp"
#include "tests/unit/core/packet_builder.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace penstock::test {

/// An `up` backend of weight 100.
inline BackendSpec backend(std::string_view address, std::uint16_t port = 80) {
    return {
        .name = "b-" + std::string(address),
        .key = {.address = ip(address), .port = port},
        .health = Health::up,
    };
}

inline ServiceSpec service(
    std::string_view vip,
    std::vector<BackendSpec> backends,
    std::uint16_t port = 80,
    Protocol protocol = Protocol::tcp
) {
    return {
        .name = "s-" + std::string(vip),
        .key = {.vip = ip(vip), .protocol = protocol, .port = port},
        .maglev_size = 16381,
        .backends = std::move(backends),
    };
}

inline DesiredState desired(std::vector<ServiceSpec> services, std::uint64_t generation = 1) {
    return {
        .generation = generation,
        .flow_hash_key = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
        .tunnel_sources = {.ipv4 = IpPrefix{.address = ip("10.0.0.1")}, .ipv6 = {}},
        .services = std::move(services),
    };
}

} // namespace penstock::test
