// SPDX-License-Identifier: Apache-2.0
// Random but valid desired states, equal for equal seeds.
//
// Thread rule: pure.
#pragma once

#include "dataplane/core/desired_state.hpp"
#include "dataplane/core/flow_table.hpp"

#include <fmt/format.h>

#include <random>

namespace penstock {

class RandomState {
public:
    explicit RandomState(std::uint32_t seed) : random_(seed) {}

    std::uint64_t below(std::uint64_t limit) {
        return std::uniform_int_distribution<std::uint64_t>(0, limit - 1)(random_);
    }

    IpAddress make_address(std::uint32_t number) {
        if (below(4) != 0) {
            return IpAddress::from_ipv4(Be32::from_host(0x0a000001U + number));
        }
        std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
        std::memcpy(bytes.data() + 12, &number, sizeof(number));
        return IpAddress::from_ipv6(bytes);
    }

    DesiredState make_state(std::size_t max_service_count, std::size_t max_backend_count) {
        DesiredState state;
        state.generation = 1 + below(UINT64_MAX);
        for (std::uint8_t& byte : state.flow_hash_key) {
            byte = static_cast<std::uint8_t>(below(256));
        }
        const auto seconds = [this] {
            return static_cast<std::uint16_t>(1 + below(max_flow_timeout_s));
        };
        state.timeouts = {seconds(), seconds(), seconds(), seconds()};
        if (below(2) == 0) {
            state.tunnel_sources.ipv4 = IpPrefix{
                .address = IpAddress::from_ipv4(
                    Be32::from_host(0x01000000U + static_cast<std::uint32_t>(below(1000)))
                )
            };
        }
        for (std::uint64_t i = below(max_service_count + 1); i > 0; --i) {
            ServiceSpec& service = state.services.emplace_back();
            service.name = fmt::format("service-{}", i);
            service.key = {
                make_address(static_cast<std::uint32_t>(i)),
                below(2) == 0 ? Protocol::tcp : Protocol::udp,
                static_cast<std::uint16_t>(1 + below(65535)),
            };
            service.forwarding = below(2) == 0 ? Forwarding::l2dsr : Forwarding::ipip;
            service.maglev_size = maglev_sizes[below(maglev_sizes.size())];
            for (std::uint64_t j = below(max_backend_count + 1); j > 0; --j) {
                BackendSpec& backend = service.backends.emplace_back();
                backend.name = fmt::format("backend-{}", j);
                backend.key = {
                    make_address(static_cast<std::uint32_t>(1000 + j)),
                    static_cast<std::uint16_t>(1 + below(65535)),
                };
                backend.weight = static_cast<std::uint16_t>(below(65536));
                backend.admin = static_cast<AdminState>(below(3));
                backend.health = static_cast<Health>(below(3));
            }
        }
        return state;
    }

private:
    std::mt19937 random_;
};

} // namespace penstock
