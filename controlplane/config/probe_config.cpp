// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/probe_config.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

namespace penstock::config {

std::string describe_rcode(std::uint8_t rcode) {
    constexpr std::array<std::string_view, 6> names{
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"
    };
    return rcode < names.size() ? std::string(names[rcode]) : fmt::format("RCODE{}", rcode);
}

bool speaks_http(ProbeType type) {
    return type == ProbeType::http || type == ProbeType::https || type == ProbeType::grpc;
}

std::string_view to_string(ProbeType value) {
    switch (value) {
    case ProbeType::none:
        return "none";
    case ProbeType::tcp:
        return "tcp";
    case ProbeType::http:
        return "http";
    case ProbeType::https:
        return "https";
    case ProbeType::grpc:
        return "grpc";
    case ProbeType::udp:
        return "udp";
    case ProbeType::icmp:
        return "icmp";
    case ProbeType::dns:
        return "dns";
    case ProbeType::script:
        return "script";
    case ProbeType::agent:
        return "agent";
    }
    std::abort();
}

std::string_view to_string(ProbeVia value) {
    switch (value) {
    case ProbeVia::direct:
        return "direct";
    case ProbeVia::vip:
        return "vip";
    }
    std::abort();
}

std::string_view to_string(DnsRecord value) {
    switch (value) {
    case DnsRecord::a:
        return "A";
    case DnsRecord::aaaa:
        return "AAAA";
    }
    std::abort();
}

} // namespace penstock::config
