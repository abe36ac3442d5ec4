// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/views.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace penstock {

namespace json = boost::json;

using config::ProbeConfig;
using config::ProbeType;

namespace {

/// Bytes need not be text.
json::value hex_or_null(const std::string& bytes) {
    std::string hex;
    for (const char byte : bytes) {
        hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    }
    return text_or_null(hex);
}

void add_http(json::object& object, const ProbeConfig& probe, const ServiceKey& key) {
    object["host"] = probe.host.empty() ? key.vip.to_string() : probe.host;
    // Values may be secrets: names alone.
    json::array headers;
    for (const config::HttpHeader& header : probe.headers) {
        headers.emplace_back(header.name);
    }
    object["headers"] = std::move(headers);
    object["http2"] = probe.http2 || probe.type == ProbeType::grpc;
    object["tls"] = probe.tls || probe.type == ProbeType::https;
    if (probe.tls || probe.type == ProbeType::https) {
        object["tls_verify"] = probe.tls_verify;
        object["tls_name"] = text_or_null(probe.tls_name);
        object["tls_ca"] = text_or_null(probe.tls_ca);
    }
    if (probe.type == ProbeType::grpc) {
        object["grpc_service"] = probe.grpc_service;
        return;
    }
    object["method"] = probe.method;
    object["path"] = probe.path;
    object["status"] = fmt::format("{}-{}", probe.expect_status_min, probe.expect_status_max);
    object["body"] = text_or_null(probe.body);
}

void add_own_keys(json::object& object, const ProbeConfig& probe, const ServiceKey& key) {
    if (config::speaks_http(probe.type)) {
        add_http(object, probe, key);
    }
    if (probe.type == ProbeType::udp || probe.type == ProbeType::agent) {
        object["send_hex"] = hex_or_null(probe.send);
    }
    if (probe.type == ProbeType::udp) {
        object["expect_hex"] = hex_or_null(probe.expect);
    }
    if (probe.type == ProbeType::dns) {
        object["query"] = probe.query;
        object["record"] = to_string(probe.record);
        object["rcode"] = config::describe_rcode(probe.rcode);
        object["answer"] =
            probe.answer ? json::value(probe.answer->to_string()) : json::value(nullptr);
    }
    if (probe.type == ProbeType::script) {
        object["command"] = json::array(probe.command.begin(), probe.command.end());
        object["user"] = probe.user;
    }
}

} // namespace

json::object make_probe_view(const ProbeConfig& probe, const ServiceKey& key) {
    json::object object;
    object["type"] = to_string(probe.type);
    for (const char* name :
         {"port",         "via",      "interval_ms",    "timeout_ms",  "fast_interval_ms",
          "fall",         "rise",     "jitter_percent", "concurrency", "method",
          "path",         "host",     "headers",        "status",      "body",
          "http2",        "tls",      "tls_verify",     "tls_name",    "tls_ca",
          "grpc_service", "send_hex", "expect_hex",     "query",       "record",
          "rcode",        "answer",   "command",        "user"}) {
        object[name] = nullptr;
    }
    if (probe.type == ProbeType::none) {
        return object;
    }
    if (probe.port) {
        object["port"] = *probe.port;
    }
    object["via"] = to_string(probe.via);
    object["interval_ms"] = probe.interval_ms;
    object["timeout_ms"] = probe.timeout_ms;
    if (probe.fast_interval_ms != 0) {
        object["fast_interval_ms"] = probe.fast_interval_ms;
    }
    object["fall"] = probe.fall;
    object["rise"] = probe.rise;
    object["jitter_percent"] = probe.jitter_percent;
    if (probe.concurrency != 0) {
        object["concurrency"] = probe.concurrency;
    }
    add_own_keys(object, probe, key);
    return object;
}

} // namespace penstock
