// SPDX-License-Identifier: Apache-2.0
#include "dataplane/api/decoder.hpp"
#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/identity.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <set>

namespace penstock {

bool Decoder::decode(const std::string& place, const wire::ServiceKey& in, ServiceKey& out) {
    IpPrefix vip;
    if (!decode(place + ", vip", in.vip(), vip) ||
        !decode_word(place + ", protocol", in.protocol(), out.protocol)) {
        return false;
    }
    out.vip = vip.address;
    out.host_bits = vip.host_bits;
    const bool takes_any_port = in.first_port() == 0 && in.last_port() == UINT16_MAX;
    if (takes_any_port) {
        out.port = 0;
        out.more_ports = 0;
        return true;
    }
    if (out.protocol == Protocol::any) {
        return fail(
            place + ", port",
            fmt::format("ports {} to {} of any protocol", in.first_port(), in.last_port()),
            "send 0 and 65535: what has any protocol has any port"
        );
    }
    std::uint16_t last = 0;
    if (!decode_number(place + ", port", in.first_port(), 1, UINT16_MAX, out.port) ||
        !decode_number(place + ", port", in.last_port(), in.first_port(), UINT16_MAX, last)) {
        return false;
    }
    out.more_ports = static_cast<std::uint16_t>(last - out.port);
    return true;
}

bool Decoder::decode(const std::string& place, const wire::BackendKey& in, BackendKey& out) {
    if (!decode_address(place + ", address", in.address(), out.address)) {
        return false;
    }
    if (in.as_sent()) {
        return decode_number(place + ", port", in.port(), 0, 0, out.port);
    }
    return decode_number(place + ", port", in.port(), 1, UINT16_MAX, out.port);
}

bool Decoder::decode(const std::string& place, const wire::Backend& in, BackendSpec& out) {
    if (!decode_name(place + ", name", in.name(), out.name)) {
        return false;
    }
    out.quic_server_id.assign(in.quic_server_id().begin(), in.quic_server_id().end());
    return decode(place, in.key(), out.key) &&
           decode_number(place + ", weight", in.weight(), 0, UINT16_MAX, out.weight) &&
           decode_word(place + ", admin", in.admin(), out.admin) &&
           decode_word(place + ", health", in.health(), out.health) &&
           check_count(
               place + ", quic_server_id, bytes",
               in.quic_server_id().size(),
               max_quic_server_id_bytes
           );
}

bool Decoder::decode(const std::string& place, const wire::Access& in, AccessSpec& out) {
    return decode_prefixes(place + ", allow", in.allow(), out.allow) &&
           decode_prefixes(place + ", deny", in.deny(), out.deny);
}

bool Decoder::decode(const std::string& place, const wire::ServiceLimits& in, ServiceLimits& out) {
    out.new_flows_per_s = in.new_flows_per_s();
    out.new_flows_per_s_and_source = in.new_flows_per_s_and_source();
    out.flows = in.flows();
    out.flows_per_backend = in.flows_per_backend();
    std::uint8_t ipv4 = 0;
    std::uint8_t ipv6 = 0;
    const std::string what = place + ", source_prefix_length_";
    if (!decode_number(what + "ipv4", in.source_prefix_length_ipv4(), 1, 32, ipv4) ||
        !decode_number(what + "ipv6", in.source_prefix_length_ipv6(), 1, 128, ipv6)) {
        return false;
    }
    out.source_host_bits_ipv4 = static_cast<std::uint8_t>(32 - ipv4);
    out.source_host_bits_ipv6 = static_cast<std::uint8_t>(128 - ipv6);
    return true;
}

bool Decoder::decode(const std::string& place, const wire::QuicLb& in, QuicLbSpec& out) {
    constexpr std::uint8_t least_nonce_bytes = 4;
    constexpr std::uint8_t most_nonce_bytes = 18;
    constexpr std::uint8_t most_bytes = 19; // of a connection id but its first
    if (!decode_number(
            place + ", config_id", in.config_id(), 0, max_quic_configs - 1, out.config_id
        ) ||
        !decode_number(
            place + ", server_id_bytes",
            in.server_id_bytes(),
            1,
            max_quic_server_id_bytes,
            out.server_id_bytes
        ) ||
        !decode_number(
            place + ", nonce_bytes",
            in.nonce_bytes(),
            least_nonce_bytes,
            std::min<std::uint64_t>(most_nonce_bytes, most_bytes - out.server_id_bytes),
            out.nonce_bytes
        )) {
        return false;
    }
    if (in.key().empty()) {
        return true;
    }
    if (in.key().size() != out.key.emplace().size()) {
        return fail(
            place + ", key", fmt::format("a key of {} bytes", in.key().size()), "send 16 bytes"
        );
    }
    std::memcpy(out.key->data(), in.key().data(), out.key->size());
    return true;
}

bool Decoder::decode_quic(const std::string& place, const wire::Service& in, ServiceSpec& out) {
    if (!check_count(
            place + ", quic", static_cast<std::size_t>(in.quic_size()), max_quic_configs
        )) {
        return false;
    }
    std::set<std::uint8_t> ids;
    for (const wire::QuicLb& quic : in.quic()) {
        QuicLbSpec& to = out.quic.emplace_back();
        const std::string inside = fmt::format("{}, quic {}", place, out.quic.size());
        if (!decode(inside, quic, to)) {
            return false;
        }
        if (!ids.insert(to.config_id).second) {
            return fail(
                inside,
                fmt::format("another configuration has the id {}", to.config_id),
                "send each config_id once"
            );
        }
    }
    return true;
}

bool Decoder::decode_gue(const std::string& place, const wire::Service& in, ServiceSpec& out) {
    const bool wanted = out.forwarding == Forwarding::gue;
    if (in.has_gue() != wanted) {
        return fail(
            place + ", gue",
            wanted ? "forwarding gue without its parameters" : "parameters of another forwarding",
            "send gue with forwarding gue, and only then"
        );
    }
    return !wanted ||
           (decode_word(place + ", gue, variant", in.gue().variant(), out.gue_variant) &&
            decode_number(place + ", gue, port", in.gue().port(), 1, UINT16_MAX, out.gue_port));
}

bool Decoder::decode_affinity(const std::string& place, const wire::Service& in, ServiceSpec& out) {
    if (!decode_word(place + ", affinity", in.affinity(), out.affinity)) {
        return false;
    }
    const bool has_prefix = out.affinity == Affinity::client;
    const std::uint8_t bits = address_bits(out.key.vip.family());
    std::uint8_t length = 0;
    if (!decode_number(
            place + ", affinity_prefix_length",
            in.affinity_prefix_length(),
            has_prefix ? 1 : 0,
            has_prefix ? bits : 0,
            length
        )) {
        return false;
    }
    out.affinity_host_bits = static_cast<std::uint8_t>(has_prefix ? bits - length : 0);
    return true;
}

// What of a service is neither its key nor its backends.
bool Decoder::decode_policy(const std::string& place, const wire::Service& in, ServiceSpec& out) {
    if (std::ranges::find(maglev_sizes, in.maglev_size()) == maglev_sizes.end()) {
        return fail(
            place + ", maglev_size",
            fmt::format("{} slots", in.maglev_size()),
            "send 16381, 65537 or 655373"
        );
    }
    out.maglev_size = in.maglev_size();
    return decode_word(place + ", forwarding", in.forwarding(), out.forwarding) &&
           decode_word(place + ", track", in.track(), out.track) && decode_gue(place, in, out) &&
           decode_affinity(place, in, out) &&
           decode_word(place + ", on_down", in.on_down(), out.on_down) &&
           decode_number(place + ", mss_clamp", in.mss_clamp(), 0, UINT16_MAX, out.mss_clamp) &&
           decode_word(place + ", toa", in.toa(), out.toa) &&
           decode(place + ", limits", in.limits(), out.limits) &&
           decode(place + ", access", in.access(), out.access) && decode_quic(place, in, out);
}

bool Decoder::decode_backends(const std::string& place, const wire::Service& in, ServiceSpec& out) {
    out.backends.reserve(static_cast<std::size_t>(in.backends_size()));
    std::set<BackendKey> keys;
    for (const wire::Backend& backend : in.backends()) {
        BackendSpec& to = out.backends.emplace_back();
        const std::string inside = fmt::format("{}, backend {}", place, out.backends.size());
        if (!decode(inside, backend, to)) {
            return false;
        }
        if ((to.key.port == 0) != out.key.takes_any_port()) {
            return fail(
                inside + ", port",
                "as_sent goes with a service that takes any port, and only with that",
                "send a port, or as_sent"
            );
        }
        if (!keys.insert(to.key).second) {
            return fail(
                fmt::format("service {}, backend {}", out.name, to.name),
                "another backend has this address and port",
                "name each server once"
            );
        }
    }
    return true;
}

bool Decoder::decode(const std::string& place, const wire::Service& in, ServiceSpec& out) {
    return decode_name(place + ", name", in.name(), out.name) && decode(place, in.key(), out.key) &&
           decode_policy(place, in, out) && decode_backends(place, in, out);
}

bool Decoder::decode(const wire::FlowTimeouts& in, FlowTimeouts& out) {
    const auto seconds = [this](const char* place, std::uint32_t value, std::uint16_t& to) {
        return decode_number(place, value, 1, max_flow_timeout_s, to);
    };
    return seconds("timeouts, tcp_syn_s", in.tcp_syn_s(), out.tcp_syn_s) &&
           seconds("timeouts, tcp_established_s", in.tcp_established_s(), out.tcp_established_s) &&
           seconds("timeouts, tcp_closing_s", in.tcp_closing_s(), out.tcp_closing_s) &&
           seconds("timeouts, udp_s", in.udp_s(), out.udp_s);
}

// Where outer headers, and packets through NAT, come from.
bool Decoder::decode_sources(const wire::ApplyDesiredState& in, DesiredState& out) {
    const auto decode_tunnel_source = [this](
                                          const std::string& place,
                                          const wire::Prefix& source,
                                          Family family,
                                          std::optional<IpPrefix>& to
                                      ) {
        if (!decode(place, source, to.emplace())) {
            return false;
        }
        return to->address.family() == family ||
               fail(place, to->to_string() + " is of the other family", "send it in its own field");
    };
    if ((in.has_tunnel_source_ipv4() &&
         !decode_tunnel_source(
             "tunnel_source_ipv4", in.tunnel_source_ipv4(), Family::ipv4, out.tunnel_sources.ipv4
         )) ||
        (in.has_tunnel_source_ipv6() &&
         !decode_tunnel_source(
             "tunnel_source_ipv6", in.tunnel_source_ipv6(), Family::ipv6, out.tunnel_sources.ipv6
         )) ||
        !check_count(
            "nat_sources", static_cast<std::size_t>(in.nat_sources_size()), max_nat_sources
        )) {
        return false;
    }
    std::set<IpAddress> seen;
    for (const std::string& bytes : in.nat_sources()) {
        IpAddress& to = out.nat_sources.emplace_back();
        const std::string place = fmt::format("nat_sources {}", out.nat_sources.size());
        if (!decode_address(place, bytes, to)) {
            return false;
        }
        if (!seen.insert(to).second) {
            return fail(place, to.to_string() + " is sent twice", "send each address once");
        }
    }
    return true;
}

bool Decoder::decode_services(const wire::ApplyDesiredState& in, DesiredState& out) {
    std::size_t backends = 0;
    for (const wire::Service& service : in.services()) {
        backends += static_cast<std::size_t>(service.backends_size());
    }
    if (!check_count("services", static_cast<std::size_t>(in.services_size()), max_services) ||
        !check_count("backends of all services", backends, max_backends - 1)) {
        return false;
    }
    out.services.reserve(static_cast<std::size_t>(in.services_size()));
    std::set<ServiceKey> keys;
    for (const wire::Service& service : in.services()) {
        ServiceSpec& to = out.services.emplace_back();
        if (!decode(fmt::format("service {}", out.services.size()), service, to)) {
            return false;
        }
        if (!keys.insert(to.key).second) {
            return fail(
                "service " + to.name,
                fmt::format("another service takes {}", to_string(to.key)),
                "name each VIP, protocol and port once"
            );
        }
    }
    return true;
}

bool Decoder::decode(const wire::ApplyDesiredState& in, DesiredState& out) {
    constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();
    if (!decode_number("generation", in.generation(), 1, no_limit, out.generation) ||
        !decode(in.timeouts(), out.timeouts)) {
        return false;
    }
    if (in.flow_hash_key().size() != out.flow_hash_key.size()) {
        return fail(
            "flow_hash_key",
            fmt::format("a key of {} bytes", in.flow_hash_key().size()),
            fmt::format("send {} bytes", out.flow_hash_key.size())
        );
    }
    std::memcpy(out.flow_hash_key.data(), in.flow_hash_key().data(), out.flow_hash_key.size());
    return decode_sources(in, out) && decode("access", in.access(), out.access) &&
           decode_services(in, out);
}

} // namespace penstock
