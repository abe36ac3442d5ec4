// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/policy_check.hpp"

#include "dataplane/core/nat_ports.hpp"
#include "dataplane/core/rate_limit.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace penstock {
namespace {

using Fault = std::optional<CompileError>;

Fault check_nat(const ServiceSpec& service, const DesiredState& desired, const std::string& place) {
    if (service.forwarding != Forwarding::nat) {
        return std::nullopt;
    }
    if (service.key.protocol == Protocol::any) {
        return CompileError{
            place, "nat of any protocol", "name tcp or udp: others have no ports to translate"
        };
    }
    if (!service.track) {
        return CompileError{
            place, "nat without flow entries", "remove track = false: replies are found by entry"
        };
    }
    const Family family = service.key.vip.family();
    const bool has_source = std::ranges::any_of(desired.nat_sources, [&](const IpAddress& source) {
        return source.family() == family;
    });
    if (!has_source) {
        return CompileError{
            place,
            std::string("no ") + (family == Family::ipv4 ? "IPv4" : "IPv6") +
                " source address for nat",
            "list one that no host has in nat_sources",
        };
    }
    return std::nullopt;
}

Fault check_quic_config(
    const QuicLbSpec& config, std::set<std::uint8_t>& ids, const std::string& place
) {
    constexpr std::uint8_t last_config_id = 6;
    if (config.config_id > last_config_id || !ids.insert(config.config_id).second) {
        return CompileError{
            place,
            "QUIC-LB configuration " + std::to_string(config.config_id) +
                (config.config_id > last_config_id ? "" : " is listed twice"),
            "give each a number of its own, from 0 to 6",
        };
    }
    const unsigned server = config.server_id_bytes;
    const unsigned nonce = config.nonce_bytes;
    constexpr unsigned least_nonce = 4;
    constexpr unsigned most_together = 19;
    if (server < 1 || server > max_quic_server_id_bytes || nonce < least_nonce ||
        server + nonce > most_together) {
        return CompileError{
            place,
            "QUIC-LB server id of " + std::to_string(server) + " and nonce of " +
                std::to_string(nonce) + " bytes",
            "give a server id of 1 to 15 bytes and a nonce of 4 or more, 19 together at most",
        };
    }
    return std::nullopt;
}

Fault check_quic(const ServiceSpec& service, const std::string& place) {
    if (service.quic.empty()) {
        return std::nullopt;
    }
    if (service.key.protocol != Protocol::udp) {
        return CompileError{place, "QUIC over another protocol than udp", "make the service udp"};
    }
    std::set<std::uint8_t> config_ids;
    std::set<std::size_t> lengths;
    for (const QuicLbSpec& config : service.quic) {
        if (auto fault = check_quic_config(config, config_ids, place)) {
            return fault;
        }
        lengths.insert(config.server_id_bytes);
    }
    std::set<std::vector<std::uint8_t>> server_ids;
    for (const BackendSpec& backend : service.backends) {
        if (backend.quic_server_id.empty()) {
            continue;
        }
        const std::string where = place + ", backend " + backend.name;
        if (!lengths.contains(backend.quic_server_id.size())) {
            return CompileError{
                where,
                "a QUIC server id of " + std::to_string(backend.quic_server_id.size()) +
                    " bytes, which no configuration has",
                "make it as long as the server ids of one of the service's configurations",
            };
        }
        if (!server_ids.insert(backend.quic_server_id).second) {
            return CompileError{
                where, "its QUIC server id is another backend's", "give each server its own"
            };
        }
    }
    return std::nullopt;
}

Fault check_limits(const ServiceSpec& service, const std::string& place) {
    const ServiceLimits& limits = service.limits;
    if (limits == ServiceLimits{}) {
        return std::nullopt;
    }
    if (!service.track) {
        return CompileError{
            place,
            "a limit without flow entries",
            "remove track = false: flows are counted by entry"
        };
    }
    for (const std::uint32_t rate : {limits.new_flows_per_s, limits.new_flows_per_s_and_source}) {
        if (rate > max_rate_per_s) {
            return CompileError{
                place,
                "a rate of " + std::to_string(rate) + " a second",
                "give at most " + std::to_string(max_rate_per_s),
            };
        }
    }
    if (limits.source_host_bits_ipv4 > address_bits(Family::ipv4) ||
        limits.source_host_bits_ipv6 > address_bits(Family::ipv6)) {
        return CompileError{
            place, "a source prefix longer than an address", "give a length that the family has"
        };
    }
    return std::nullopt;
}

bool can_be_source(const IpAddress& address) {
    return !address.is_unspecified() && !address.is_multicast() && !address.is_loopback();
}

Fault check_nat_sources(const DesiredState& desired) {
    std::set<IpAddress> seen;
    std::array<std::size_t, 2> counts{};
    for (const IpAddress& source : desired.nat_sources) {
        const std::string place = "nat source " + source.to_string();
        const bool is_vip = std::ranges::any_of(desired.services, [&](const ServiceSpec& service) {
            return service.key.prefix().contains(source);
        });
        if (is_vip || !can_be_source(source)) {
            return CompileError{
                place,
                is_vip ? "it is a VIP, or in the prefix of one" : "it is no address of a host",
                "give an address that nothing else has",
            };
        }
        if (!seen.insert(source).second) {
            return CompileError{place, "it is listed twice", "remove one of the two"};
        }
        if (++counts[source.is_ipv4() ? 0 : 1] > max_nat_sources) {
            return CompileError{
                place,
                "more than " + std::to_string(max_nat_sources) + " sources of one family",
                "remove some",
            };
        }
    }
    return std::nullopt;
}

} // namespace

std::optional<CompileError>
check_policy(const ServiceSpec& service, const DesiredState& desired, const std::string& place) {
    if (auto fault = check_nat(service, desired, place)) {
        return fault;
    }
    if (auto fault = check_quic(service, place)) {
        return fault;
    }
    return check_limits(service, place);
}

std::optional<CompileError> check_policies(const DesiredState& desired) {
    if (auto fault = check_nat_sources(desired)) {
        return fault;
    }
    std::size_t prefixes = desired.access.allow.size() + desired.access.deny.size();
    for (const ServiceSpec& service : desired.services) {
        prefixes += service.access.allow.size() + service.access.deny.size();
    }
    if (prefixes > max_access_prefixes) {
        return CompileError{
            "access lists",
            std::to_string(prefixes) + " prefixes in all, and " +
                std::to_string(max_access_prefixes) + " is the limit",
            "join neighbouring prefixes",
        };
    }
    return std::nullopt;
}

} // namespace penstock
