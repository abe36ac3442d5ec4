// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/desired_state_check.hpp"

#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/policy_check.hpp"
#include "dataplane/core/tunnel_kind.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace penstock {
namespace {

using Fault = std::optional<CompileError>;

std::string place_of(const ServiceSpec& service) {
    return "service " + service.name;
}

std::string place_of(const ServiceSpec& service, const BackendSpec& backend) {
    return place_of(service) + ", backend " + backend.name;
}

std::string family_name(const IpAddress& address) {
    return address.is_ipv4() ? "IPv4" : "IPv6";
}

Fault check_backend_port(const ServiceSpec& service, const BackendSpec& backend) {
    if (backend.key.port == service.key.port) {
        return std::nullopt;
    }
    if (service.forwarding == Forwarding::nat && service.key.more_ports == 0 &&
        !service.key.takes_any_port()) {
        return std::nullopt;
    }
    return CompileError{
        .place = place_of(service, backend),
        .cause = "port " + std::to_string(backend.key.port) + " is not the service's port " +
                 std::to_string(service.key.port),
        .remedy = "remove the port: " + std::string(to_string(service.forwarding)) +
                  " leaves the packet as it is, so the server listens on the service's port",
    };
}

Fault check_backend(
    const ServiceSpec& service, const BackendSpec& backend, const DesiredState& desired
) {
    const IpAddress& address = backend.key.address;
    if (!is_tunnel(service.forwarding) && address.family() != service.key.vip.family()) {
        return CompileError{
            .place = place_of(service, backend),
            .cause = "address " + address.to_string() + " is " + family_name(address) +
                     ", the VIP is " + family_name(service.key.vip),
            .remedy = "give an address of the VIP's family, or forward by ipip, gre or gue: a "
                      "tunnel carries either",
        };
    }
    const auto& sources = desired.tunnel_sources;
    if (is_tunnel(service.forwarding) && !(address.is_ipv4() ? sources.ipv4 : sources.ipv6)) {
        return CompileError{
            .place = place_of(service, backend),
            .cause = "no " + family_name(address) + " source address for the outer header of " +
                     std::string(to_string(service.forwarding)),
            .remedy = std::string("set ") +
                      (address.is_ipv4() ? "tunnel_source" : "tunnel_source_ipv6") +
                      " in [dataplane], or give the port's interface an address",
        };
    }
    return check_backend_port(service, backend);
}

Fault check_backends(const ServiceSpec& service, const DesiredState& desired) {
    std::set<BackendKey> seen;
    for (const BackendSpec& backend : service.backends) {
        if (auto fault = check_backend(service, backend, desired)) {
            return fault;
        }
        if (!seen.insert(backend.key).second) {
            return CompileError{
                .place = place_of(service, backend),
                .cause = "address " + backend.key.address.to_string() + " is listed twice",
                .remedy = "remove one of the two; use weight for a larger share",
            };
        }
    }
    return std::nullopt;
}

Fault check_key(const ServiceSpec& service) {
    const ServiceKey& key = service.key;
    if (key.protocol == Protocol::any && !key.takes_any_port()) {
        return CompileError{
            .place = place_of(service),
            .cause = "port " + std::to_string(key.port) + " of any protocol",
            .remedy = "name the protocol, or take any port: not every protocol has ports",
        };
    }
    const bool beyond = std::uint32_t{key.port} + key.more_ports > UINT16_MAX;
    if (beyond || (key.takes_any_port() && key.more_ports != 0)) {
        return CompileError{
            .place = place_of(service),
            .cause =
                std::to_string(key.more_ports) + " ports after port " + std::to_string(key.port),
            .remedy = "give ports from 1 to 65535",
        };
    }
    if (key.host_bits > address_bits(key.vip.family()) ||
        clear_host_bits(key.vip, key.host_bits) != key.vip) {
        return CompileError{
            .place = place_of(service),
            .cause = "VIP " + key.vip.to_string() + " is not the first address of its prefix",
            .remedy = "clear the bits behind the prefix",
        };
    }
    return std::nullopt;
}

Fault check_mode(const ServiceSpec& service) {
    if (std::ranges::find(maglev_sizes, service.maglev_size) == maglev_sizes.end()) {
        return CompileError{
            .place = place_of(service),
            .cause = "a table of " + std::to_string(service.maglev_size) + " slots",
            .remedy = "choose 16381, 65537 or 655373",
        };
    }
    if (service.forwarding == Forwarding::gue &&
        (service.gue_variant > 1 || service.gue_port == 0)) {
        return CompileError{
            .place = place_of(service),
            .cause = "GUE variant " + std::to_string(service.gue_variant) + " to port " +
                     std::to_string(service.gue_port),
            .remedy = "choose variant 0 or 1, and a port from 1 to 65535",
        };
    }
    if (service.affinity_host_bits > address_bits(service.key.vip.family())) {
        return CompileError{
            .place = place_of(service),
            .cause = "affinity ignores " + std::to_string(service.affinity_host_bits) +
                     " bits of an address",
            .remedy = "give a prefix length that the family has",
        };
    }
    return std::nullopt;
}

Fault check_service(const ServiceSpec& service, const DesiredState& desired) {
    if (auto fault = check_key(service)) {
        return fault;
    }
    if (auto fault = check_mode(service)) {
        return fault;
    }
    if (auto fault = check_policy(service, desired, place_of(service))) {
        return fault;
    }
    return check_backends(service, desired);
}

Fault check_timeouts(const FlowTimeouts& timeouts) {
    const std::array<std::pair<const char*, std::uint16_t>, 4> all{{
        {"tcp_syn", timeouts.tcp_syn_s},
        {"tcp_established", timeouts.tcp_established_s},
        {"tcp_closing", timeouts.tcp_closing_s},
        {"udp", timeouts.udp_s},
    }};
    for (const auto& [name, seconds] : all) {
        // Beyond it coarse time wraps, and the entry would never look idle.
        if (seconds < 1 || seconds > max_flow_timeout_s) {
            return CompileError{
                .place = std::string("flow timeout ") + name,
                .cause = std::to_string(seconds) + " s is out of range",
                .remedy = "give 1 to " + std::to_string(max_flow_timeout_s) + " seconds",
            };
        }
    }
    return std::nullopt;
}

Fault check_tunnel_source(const std::optional<IpPrefix>& source, Family family) {
    if (!source || source->address.family() == family) {
        return std::nullopt;
    }
    return CompileError{
        .place = family == Family::ipv4 ? "tunnel_source" : "tunnel_source_ipv6",
        .cause = "address " + source->to_string() + " is " + family_name(source->address),
        .remedy = family == Family::ipv4 ? "give an IPv4 address: it is the source of IPv4 tunnels"
                                         : "give an IPv6 address: it is the source of IPv6 tunnels",
    };
}

// The keys of all services: equal ones and overlaps stand side by side once sorted.
Fault check_conflicts(const DesiredState& desired) {
    std::vector<const ServiceSpec*> services;
    services.reserve(desired.services.size());
    for (const ServiceSpec& service : desired.services) {
        services.push_back(&service);
    }
    std::ranges::sort(services, {}, [](const ServiceSpec* service) {
        const ServiceKey& key = service->key;
        return std::tuple(key.prefix(), key.protocol, key.more_ports, key.port, service);
    });
    for (std::size_t i = 1; i < services.size(); ++i) {
        const ServiceSpec& first = *services[i - 1];
        const ServiceSpec& second = *services[i];
        if (conflict(first.key, second.key)) {
            return CompileError{
                .place = place_of(second),
                .cause =
                    to_string(second.key) + " belongs to another service already, " + first.name,
                .remedy = "give each service its own VIP, protocol and ports; of ranges that "
                          "overlap, one must be narrower",
            };
        }
    }
    return std::nullopt;
}

} // namespace

bool conflict(const ServiceKey& a, const ServiceKey& b) {
    if (a.prefix() != b.prefix() || a.protocol != b.protocol) {
        return false;
    }
    if (a.takes_any_port() || b.takes_any_port()) {
        return a.takes_any_port() && b.takes_any_port();
    }
    return a.more_ports == b.more_ports && a.port <= b.last_port() && b.port <= a.last_port();
}

std::optional<CompileError> check_desired_state(const DesiredState& desired) {
    if (auto fault = check_timeouts(desired.timeouts)) {
        return fault;
    }
    if (auto fault = check_tunnel_source(desired.tunnel_sources.ipv4, Family::ipv4)) {
        return fault;
    }
    if (auto fault = check_tunnel_source(desired.tunnel_sources.ipv6, Family::ipv6)) {
        return fault;
    }
    std::uint64_t slots = 0;
    for (const ServiceSpec& service : desired.services) {
        slots += service.maglev_size;
        if (slots > max_maglev_slots) {
            return CompileError{
                .place = place_of(service),
                .cause = "the tables of all services up to this one have " + std::to_string(slots) +
                         " slots, and " + std::to_string(max_maglev_slots) + " is the limit",
                .remedy = "choose a smaller maglev_size for services with few backends",
            };
        }
        if (auto fault = check_service(service, desired)) {
            return fault;
        }
    }
    if (auto fault = check_policies(desired)) {
        return fault;
    }
    return check_conflicts(desired);
}

} // namespace penstock
