// SPDX-License-Identifier: Apache-2.0
// `probe` of a service as values: how its backends are asked whether they are well.
//
// Thread rule: plain values that have passed validation (read_probe.cpp). A key that the type does
// not have keeps its default, so that equal probes compare equal.
#pragma once

#include "dataplane/core/addresses.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::config {

enum class ProbeType : std::uint8_t {
    none,
    tcp,
    http,
    https,
    grpc,   ///< grpc.health.v1.Health/Check
    udp,    ///< a datagram there, one back
    icmp,   ///< echo
    dns,    ///< a query over UDP
    script, ///< a program's exit status
    agent,  ///< one line of the server's own report over TCP
};

/// Which way a probe goes.
enum class ProbeVia : std::uint8_t {
    direct, ///< to the backend's own address
    vip,    ///< to the VIP, by the backend's own data path: socket mark, probe device, tunnel
};

enum class DnsRecord : std::uint8_t { a, aaaa };

struct HttpHeader {
    std::string name;
    std::string value;

    friend bool operator==(const HttpHeader&, const HttpHeader&) = default;
};

/// probe = { … } of a service. Times in the file are strings with a unit ("2s", "500ms").
struct ProbeConfig {
    ProbeType type = ProbeType::tcp;    ///< a service without `probe` gets a TCP connect
    std::optional<std::uint16_t> port;  ///< nothing: the backend's; always given for agent
    ProbeVia via = ProbeVia::direct;    ///< never vip for script and agent
    std::uint32_t interval_ms = 2000;   ///< from start to start
    std::uint32_t timeout_ms = 1000;    ///< for all of one probe; at most the interval
    std::uint32_t fast_interval_ms = 0; ///< while a change is being made sure of; 0: the interval
    std::uint16_t fall = 3;
    std::uint16_t rise = 2;
    std::uint16_t jitter_percent = 10;
    std::uint16_t concurrency = 0; ///< of the service's probes under way; 0: no limit of its own

    // http, https
    std::string method = "GET";
    std::string path = "/";
    std::string host; ///< http, https, grpc: the Host header; empty: the VIP
    std::vector<HttpHeader> headers;
    std::uint16_t expect_status_min = 200; ///< `status = "200-399"` or a number
    std::uint16_t expect_status_max = 399;
    std::string body; ///< what the answer's body must contain; empty: anything
    bool http2 = false;

    // https, grpc
    bool tls = false; ///< grpc only; https has it always
    bool tls_verify = true;
    std::string tls_name; ///< SNI, and whom the certificate must name; empty: `host`
    std::string tls_ca;   ///< file of the trusted authorities; empty: the system's
    std::string grpc_service;

    // udp, agent: bytes
    std::string send;
    std::string expect; ///< udp: what the answer must contain; empty: any answer

    // dns
    std::string query;
    DnsRecord record = DnsRecord::a;
    std::uint8_t rcode = 0; ///< that is expected; RFC 1035 4.1.1
    std::optional<IpAddress> answer;

    // script
    std::vector<std::string> command; ///< the program, by its absolute path, and its arguments
    std::string user;                 ///< as whom it runs

    friend bool operator==(const ProbeConfig&, const ProbeConfig&) = default;
};

/// The names of rcodes 0 to 5 (RFC 1035, RFC 2136): "NOERROR", "FORMERR", …; "RCODE9" for others.
[[nodiscard]] std::string describe_rcode(std::uint8_t rcode);

/// True for the types that speak HTTP, gRPC included.
[[nodiscard]] bool speaks_http(ProbeType type);

// The words of the file for the enumerations above.
[[nodiscard]] std::string_view to_string(ProbeType value);
[[nodiscard]] std::string_view to_string(ProbeVia value);
[[nodiscard]] std::string_view to_string(DnsRecord value);

} // namespace penstock::config
