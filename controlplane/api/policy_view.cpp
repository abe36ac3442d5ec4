// SPDX-License-Identifier: Apache-2.0
// What a service does with its packets, beyond its key and its backends. Keys of QUIC-LB are secret
// and access lists long: neither is shown.
#include "controlplane/api/views.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace penstock {

namespace json = boost::json;

namespace {

/// Limits of 0 are none.
json::value limit_or_null(std::uint32_t limit) {
    return limit == 0 ? json::value(nullptr) : json::value(limit);
}

json::object make_limit(const ServiceSpec& service) {
    const ServiceLimits& limits = service.limits;
    const bool is_ipv4 = service.key.vip.is_ipv4();
    const unsigned host_bits =
        is_ipv4 ? limits.source_host_bits_ipv4 : limits.source_host_bits_ipv6;
    const bool by_source = limits.new_flows_per_s_and_source > 0;
    const unsigned length = address_bits(service.key.vip.family()) - host_bits;
    return {
        {"new_flows_per_second", limit_or_null(limits.new_flows_per_s)},
        {"new_flows_per_second_per_source", limit_or_null(limits.new_flows_per_s_and_source)},
        {"source_prefix", by_source ? json::value(length) : json::value(nullptr)},
        {"flows", limit_or_null(limits.flows)},
        {"flows_per_backend", limit_or_null(limits.flows_per_backend)},
    };
}

json::array make_quic(const ServiceSpec& service) {
    json::array list;
    for (const QuicLbSpec& quic : service.quic) {
        list.push_back(json::object{
            {"config_id", quic.config_id},
            {"server_id_bytes", quic.server_id_bytes},
            {"nonce_bytes", quic.nonce_bytes},
            {"encrypted", quic.key.has_value()},
        });
    }
    return list;
}

} // namespace

std::string format_ports(const ServiceKey& key) {
    if (key.takes_any_port()) {
        return "any";
    }
    return key.more_ports == 0 ? fmt::format("{}", key.port)
                               : fmt::format("{}-{}", key.port, key.last_port());
}

json::object make_policy_view(const ServiceSpec& service) {
    json::value affinity_prefix = nullptr;
    if (service.affinity == Affinity::client) {
        affinity_prefix = address_bits(service.key.vip.family()) - service.affinity_host_bits;
    }
    json::value gue = nullptr;
    if (service.forwarding == Forwarding::gue) {
        gue = json::object{{"variant", service.gue_variant}, {"port", service.gue_port}};
    }
    return {
        {"track", service.track},
        {"affinity", to_string(service.affinity)},
        {"affinity_prefix", std::move(affinity_prefix)},
        {"on_down", to_string(service.on_down)},
        {"mss_clamp", limit_or_null(service.mss_clamp)},
        {"toa", service.toa},
        {"gue", std::move(gue)},
        {"limit", make_limit(service)},
        {"access",
         json::object{{"allow", service.access.allow.size()}, {"deny", service.access.deny.size()}}
        },
        {"quic", make_quic(service)},
    };
}

} // namespace penstock
