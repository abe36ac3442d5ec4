// SPDX-License-Identifier: Apache-2.0
// The sections of the file, each read by one function in a file of its own.
//
// Thread rule: one thread, the Findings'. After any finding the result is incomplete and must be
// discarded.
#pragma once

#include "controlplane/config/access_reader.hpp"
#include "controlplane/config/address_reader.hpp"
#include "controlplane/config/configuration.hpp"
#include "controlplane/config/document.hpp"
#include "controlplane/config/findings.hpp"
#include "controlplane/config/value_reader.hpp"

#include <optional>
#include <string>
#include <vector>

namespace penstock::config {

/// An address of the file and where it stands, for checks against all VIPs.
struct AddressPlace {
    IpAddress address;
    Span span;
};

/// [dataplane] with its ports and neighbours. The tunnel sources go to the configuration's.
[[nodiscard]] DataplaneConfig
read_dataplane(Findings& findings, const Value& value, TunnelSources& tunnel_sources);

/// [api]; nothing if it is no table.
[[nodiscard]] std::optional<ApiConfig> read_api(Findings& findings, const Value& value);

/// [flow]
[[nodiscard]] FlowTimeouts read_flow(Findings& findings, const Value& value);

/// [nat]: its source addresses.
[[nodiscard]] std::vector<AddressPlace> read_nat(Findings& findings, const Value& value);

/// [access]
[[nodiscard]] AccessSpec
read_access(Findings& findings, const Value& value, AccessReader& access_reader);

/// [[service]], all of them, and what must hold between them and the sources of NAT.
[[nodiscard]] std::vector<ServiceConfig> read_services(
    Findings& findings,
    const Value& value,
    AccessReader& access_reader,
    const std::vector<AddressPlace>& nat_sources
);

// Of a service's table, in this order: each may look at what those before it have read into `spec`.

/// vip, protocol, port. True if all parts are there and good.
[[nodiscard]] bool read_service_key(const TableReader& table, ServiceKey& key);

/// forwarding, gue, toa, mss_clamp, maglev_size.
void read_forwarding(
    const TableReader& table, ServiceSpec& spec, const std::vector<AddressPlace>& nat_sources
);

/// track, affinity, affinity_prefix, on_down.
void read_flow_policy(const TableReader& table, ServiceSpec& spec);

/// limit
void read_limits(const TableReader& table, ServiceSpec& spec);

/// quic
void read_quic(const TableReader& table, ServiceSpec& spec);

/// `probe` of a service. `what` names it: "the probe of service 'web'".
[[nodiscard]] ProbeConfig
read_probe(Findings& findings, const Value& value, const std::string& what);

/// `health` of a service. `what` names it: "health of service 'web'".
[[nodiscard]] HealthPolicy
read_health_policy(Findings& findings, const Value& value, const std::string& what);

} // namespace penstock::config
