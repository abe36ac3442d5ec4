// SPDX-License-Identifier: Apache-2.0
// Random but valid desired states, equal for equal seeds.
//
// Thread rule: pure.
#pragma once

#include "dataplane/core/desired_state.hpp"
#include "dataplane/core/flow_table.hpp"

#include <fmt/format.h>

#include <algorithm>
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
            state.tunnel_sources.ipv4 = make_prefix(Family::ipv4, 1);
        }
        if (below(2) == 0) {
            state.tunnel_sources.ipv6 = make_prefix(Family::ipv6, 1);
        }
        for (std::uint64_t i = below(4); i > 0; --i) {
            state.nat_sources.push_back(make_address(static_cast<std::uint32_t>(500 + i)));
        }
        state.access = make_access();
        for (std::uint64_t i = below(max_service_count + 1); i > 0; --i) {
            state.services.push_back(make_service(static_cast<std::uint32_t>(i)));
            for (std::uint64_t j = below(max_backend_count + 1); j > 0; --j) {
                add_backend(state.services.back(), static_cast<std::uint32_t>(j));
            }
        }
        return state;
    }

private:
    std::uint8_t byte() { return static_cast<std::uint8_t>(below(256)); }

    std::uint32_t maybe_number() {
        return below(2) == 0 ? 0 : static_cast<std::uint32_t>(below(UINT64_C(1) << 32U));
    }

    /// Of `least_length` or more.
    IpPrefix make_prefix(Family family, std::uint8_t least_length) {
        const std::uint8_t bits = address_bits(family);
        const auto host_bits = static_cast<std::uint8_t>(below(bits - least_length + 1U));
        std::array<std::uint8_t, 16> bytes{};
        std::ranges::generate(bytes, [this] { return byte(); });
        bytes[0] = 0xfd;
        IpAddress address = IpAddress::from_ipv6(bytes);
        if (family == Family::ipv4) {
            const auto number = static_cast<std::uint32_t>(below(UINT64_C(1) << 31U));
            address = IpAddress::from_ipv4(Be32::from_host(0x80000000U | number));
        }
        return {.address = clear_host_bits(address, host_bits), .host_bits = host_bits};
    }

    AccessSpec make_access() {
        AccessSpec access;
        for (auto* list : {&access.allow, &access.deny}) {
            for (std::uint64_t i = below(5); i > 0; --i) {
                list->push_back(make_prefix(below(2) == 0 ? Family::ipv4 : Family::ipv6, 0));
            }
        }
        return access;
    }

    ServiceKey make_key(std::uint32_t number) {
        ServiceKey key{.vip = make_address(number)};
        key.protocol = std::array{Protocol::any, Protocol::tcp, Protocol::udp}[below(3)];
        // The last of the vip's bits differ from service to service: host bits would make them equal.
        if (below(4) == 0) {
            key.host_bits = 16;
            std::array<std::uint8_t, 16> bytes = key.vip.bytes();
            bytes[13] = bytes[15];
            key.vip = clear_host_bits(IpAddress::from_ipv6(bytes), key.host_bits);
        }
        if (key.protocol != Protocol::any && below(4) != 0) {
            key.port = static_cast<std::uint16_t>(1 + below(65535));
            key.more_ports =
                static_cast<std::uint16_t>(below(2) == 0 ? 0 : below(65536U - key.port));
        }
        return key;
    }

    QuicLbSpec make_quic(std::uint8_t config_id) {
        QuicLbSpec quic{.config_id = config_id};
        quic.server_id_bytes = static_cast<std::uint8_t>(1 + below(max_quic_server_id_bytes));
        quic.nonce_bytes =
            static_cast<std::uint8_t>(4 + below(std::min(15, 19 - quic.server_id_bytes - 3)));
        if (below(2) == 0) {
            std::ranges::generate(quic.key.emplace(), [this] { return byte(); });
        }
        return quic;
    }

    ServiceSpec make_service(std::uint32_t number) {
        ServiceSpec service{.name = fmt::format("service-{}", number), .key = make_key(number)};
        service.forwarding = static_cast<Forwarding>(below(5));
        service.maglev_size = maglev_sizes[below(maglev_sizes.size())];
        service.track = below(2) == 0;
        if (service.forwarding == Forwarding::gue) {
            service.gue_variant = static_cast<std::uint8_t>(below(2));
            service.gue_port = static_cast<std::uint16_t>(1 + below(65535));
        }
        service.affinity = static_cast<Affinity>(below(3));
        if (service.affinity == Affinity::client) {
            service.affinity_host_bits =
                static_cast<std::uint8_t>(below(address_bits(service.key.vip.family())));
        }
        service.on_down = static_cast<DownPolicy>(below(3));
        service.mss_clamp = static_cast<std::uint16_t>(below(65536));
        service.toa = below(2) == 0;
        service.limits = {
            .new_flows_per_s = maybe_number(),
            .new_flows_per_s_and_source = maybe_number(),
            .source_host_bits_ipv4 = static_cast<std::uint8_t>(below(32)),
            .source_host_bits_ipv6 = static_cast<std::uint8_t>(below(128)),
            .flows = maybe_number(),
            .flows_per_backend = maybe_number(),
        };
        service.access = make_access();
        for (std::uint64_t i = below(max_quic_configs + 1); i > 0; --i) {
            service.quic.push_back(make_quic(static_cast<std::uint8_t>(i - 1)));
        }
        return service;
    }

    void add_backend(ServiceSpec& service, std::uint32_t number) {
        BackendSpec& backend = service.backends.emplace_back();
        backend.name = fmt::format("backend-{}", number);
        backend.key.address = make_address(1000 + number);
        if (!service.key.takes_any_port()) {
            backend.key.port = static_cast<std::uint16_t>(1 + below(65535));
        }
        backend.weight = static_cast<std::uint16_t>(below(65536));
        backend.admin = static_cast<AdminState>(below(3));
        backend.health = static_cast<Health>(below(3));
        backend.quic_server_id.resize(below(max_quic_server_id_bytes + 1));
        std::ranges::generate(backend.quic_server_id, [this] { return byte(); });
    }

    std::mt19937 random_;
};

} // namespace penstock
